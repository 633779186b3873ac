"""Reads from CloudWatch what the API answered in a span of time, and tells no traffic from no figures.

Requests and errors are the HTTP API's own, since they hold what no function of ours ever sees: throttled
requests, refused tokens, instances that did not start, crashes and time-outs. Predictions are those that the
API counts itself, one sample of InferenceTime for each, in a batch and from memory too.
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
    """The span could not be counted, which must not pass for a span without traffic."""

    code: ClassVar[str] = "traffic_not_counted"


class Figure(NamedTuple):
    """One figure as CloudWatch files it."""

    namespace: str
    metric: str
    dimension: tuple[str, str]
    statistic: str


@cache
def cloudwatch() -> "CloudWatchClient":
    """Make the client once."""
    return boto3.client("cloudwatch", config=CLIENT)


def count_traffic(since: datetime, until: datetime, settings: TrafficCounterSettings) -> TrafficCounted:
    """Count whole hours; raises TrafficError when CloudWatch's figures are incomplete or contradict another.

    CloudWatch keeps no zeros: a figure without a point stands for nothing to count or for a count that got
    lost. It is taken for zero only where a figure from another source does not say otherwise.
    """
    found = read_figures(figures(settings), since, until)
    requests, predictions = found.get("requests", 0), found.get("predictions", 0)
    answered = found.get("invocations", 0) - found.get("crashes", 0)
    span = f"between {since.isoformat()} and {until.isoformat()}"
    if answered > 0 and "frames" not in found:
        raise TrafficError(
            f"the API's function answered {answered:,} events {span}, but its own figures are not in "
            f"CloudWatch under {namespace()}: its log is cut off, or its metrics are not flushed"
        )
    errors = found.get("client_errors", 0) + found.get("server_errors", 0)
    if not requests and (predictions or errors):
        raise TrafficError(
            f"the HTTP API has no requests {span}, but {predictions:,} predictions and {errors:,} errors are "
            "on record: its metrics are late or belong to another API"
        )
    return TrafficCounted(
        since=since,
        until=until,
        requests=requests,
        client_errors=found.get("client_errors", 0),
        server_errors=found.get("server_errors", 0),
        predictions=predictions,
    )


def figures(settings: TrafficCounterSettings) -> dict[str, Figure]:
    """Return what is asked for; `frames`, `invocations` and `crashes` are there to doubt the others by."""
    gateway = ("ApiId", settings.http_api_id)
    function = ("FunctionName", settings.api_function_name)
    ours = ("service", "api")
    return {
        "requests": Figure("AWS/ApiGateway", "Count", gateway, "Sum"),
        "client_errors": Figure("AWS/ApiGateway", "4xx", gateway, "Sum"),
        "server_errors": Figure("AWS/ApiGateway", "5xx", gateway, "Sum"),
        "predictions": Figure(namespace(), "InferenceTime", ours, "SampleCount"),
        "frames": Figure(namespace(), "RequestTime", ours, "SampleCount"),
        "invocations": Figure("AWS/Lambda", "Invocations", function, "Sum"),
        "crashes": Figure("AWS/Lambda", "Errors", function, "Sum"),
    }


def read_figures(asked: Mapping[str, Figure], since: datetime, until: datetime) -> dict[str, int]:
    """Return the figures that CloudWatch has points of; raises TrafficError when it could not give all."""
    queries: list[MetricDataQueryTypeDef] = [
        {
            "Id": name,
            "MetricStat": {
                "Metric": {
                    "Namespace": figure.namespace,
                    "MetricName": figure.metric,
                    "Dimensions": [{"Name": figure.dimension[0], "Value": figure.dimension[1]}],
                },
                "Period": 3600,
                "Stat": figure.statistic,
            },
        }
        for name, figure in asked.items()
    ]
    found: dict[str, float] = {}
    states = dict.fromkeys(asked, "no answer")
    pages = cloudwatch().get_paginator("get_metric_data")
    for page in pages.paginate(MetricDataQueries=queries, StartTime=since, EndTime=until):
        for result in page["MetricDataResults"]:
            states[result["Id"]] = result["StatusCode"]  # PartialData until the last page of it
            if values := result["Values"]:
                found[result["Id"]] = found.get(result["Id"], 0.0) + sum(values)
    if missing := {name: state for name, state in states.items() if state != "Complete"}:
        raise TrafficError(f"CloudWatch could not give all figures: {missing}")
    return {name: round(value) for name, value in found.items()}
