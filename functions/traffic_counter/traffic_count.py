"""Counts requests, errors and predictions from CloudWatch metrics; missing metrics are not zeros.

Requests and errors are the HTTP API's metrics, because those include what no function sees: throttled
requests, rejected tokens, instances that did not start, crashes and time-outs. Predictions are counted by the
API itself, one sample of InferenceTime each, also in batches and from the cache.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import boto3
from botocore.config import Config
from sentiment.exceptions import SentimentError
from sentiment.logging import namespace
from sentiment.messages import TrafficCounted

from functions.traffic_counter.settings import TrafficCounterSettings

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef

CLIENT = Config(connect_timeout=3, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 4})


class TrafficError(SentimentError):
    """The time range could not be counted; it must not be mistaken for one without traffic."""

    code: ClassVar[str] = "traffic_not_counted"


class Metric(NamedTuple):
    """A CloudWatch metric and its statistic."""

    namespace: str
    name: str
    dimension: tuple[str, str]
    statistic: str


@cache
def cloudwatch() -> "CloudWatchClient":
    """Make the client once."""
    return boto3.client("cloudwatch", config=CLIENT)


def count_traffic(since: datetime, until: datetime, settings: TrafficCounterSettings) -> TrafficCounted:
    """Count whole hours; raises TrafficError if metrics are incomplete or contradict each other.

    CloudWatch stores no zeros: a metric without data points means either no traffic or lost data. It counts
    as zero only if no metric of another source contradicts that.
    """
    sums = read_metrics(metrics(settings), since, until)
    requests, predictions = sums.get("requests", 0), sums.get("predictions", 0)
    answered = sums.get("invocations", 0) - sums.get("crashes", 0)
    span = f"between {since.isoformat()} and {until.isoformat()}"
    if answered > 0 and "handled" not in sums:
        raise TrafficError(
            f"the API's function answered {answered:,} events {span}, but its own metrics are not in "
            f"CloudWatch under {namespace()}: its log is truncated, or its metrics are not flushed"
        )
    errors = sums.get("client_errors", 0) + sums.get("server_errors", 0)
    if not requests and (predictions or errors):
        raise TrafficError(
            f"the HTTP API has no requests {span}, but {predictions:,} predictions and {errors:,} errors: "
            "its metrics are late or belong to another API"
        )
    return TrafficCounted(
        since=since,
        until=until,
        requests=requests,
        client_errors=sums.get("client_errors", 0),
        server_errors=sums.get("server_errors", 0),
        predictions=predictions,
    )


def metrics(settings: TrafficCounterSettings) -> dict[str, Metric]:
    """Return the metrics to read; `handled`, `invocations` and `crashes` serve to validate the others."""
    gateway = ("ApiId", settings.http_api_id)
    function = ("FunctionName", settings.api_function_name)
    ours = ("service", "api")
    return {
        "requests": Metric("AWS/ApiGateway", "Count", gateway, "Sum"),
        "client_errors": Metric("AWS/ApiGateway", "4xx", gateway, "Sum"),
        "server_errors": Metric("AWS/ApiGateway", "5xx", gateway, "Sum"),
        "predictions": Metric(namespace(), "InferenceTime", ours, "SampleCount"),
        "handled": Metric(namespace(), "RequestTime", ours, "SampleCount"),
        "invocations": Metric("AWS/Lambda", "Invocations", function, "Sum"),
        "crashes": Metric("AWS/Lambda", "Errors", function, "Sum"),
    }


def read_metrics(metrics: Mapping[str, Metric], since: datetime, until: datetime) -> dict[str, int]:
    """Return the sums of metrics with data points; raises TrafficError if the result is incomplete."""
    queries: list[MetricDataQueryTypeDef] = [
        {
            "Id": name,
            "MetricStat": {
                "Metric": {
                    "Namespace": metric.namespace,
                    "MetricName": metric.name,
                    "Dimensions": [{"Name": metric.dimension[0], "Value": metric.dimension[1]}],
                },
                "Period": 3600,
                "Stat": metric.statistic,
            },
        }
        for name, metric in metrics.items()
    ]
    sums: dict[str, float] = {}
    states = dict.fromkeys(metrics, "no result")
    pages = cloudwatch().get_paginator("get_metric_data")
    for page in pages.paginate(MetricDataQueries=queries, StartTime=since, EndTime=until):
        for result in page["MetricDataResults"]:
            states[result["Id"]] = result["StatusCode"]  # PartialData until its last page
            if values := result["Values"]:
                sums[result["Id"]] = sums.get(result["Id"], 0.0) + sum(values)
    if missing := {name: state for name, state in states.items() if state != "Complete"}:
        raise TrafficError(f"CloudWatch returned incomplete metrics: {missing}")
    return {name: round(value) for name, value in sums.items()}
