"""An hour is counted once its metrics are complete, and a missing metric is never taken for zero."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sentiment.exceptions import InvalidInputError
from sentiment.messages import TrafficCounted, parse_message

from functions.traffic_counter import traffic_count
from functions.traffic_counter.handler import handler
from functions.traffic_counter.traffic_count import TrafficError
from tests.traffic_counter.conftest import NAMESPACE, Aws

EVENT = json.loads(
    (Path(__file__).parents[2] / "events" / "traffic_counter_hourly.json").read_text()
)  # of 20:20
HOUR = datetime(2026, 11, 23, 19, tzinfo=UTC)


def minute(number: int) -> datetime:
    return HOUR + timedelta(minutes=number)


def run(event: dict[str, Any] = EVENT) -> dict[str, Any]:
    return handler(event, None)  # type: ignore[arg-type]


def test_the_count_of_the_last_hour_is_sent_to_the_queue(aws: Aws) -> None:
    for at in (minute(0), minute(59)):
        aws.put_gateway_metrics(at, count=10, client=3, server=1)
        aws.put_function_metrics(at, invocations=9, errors=1)
        aws.put_api_metrics(at, predictions=4)
    for outside in (minute(-1), minute(60)):
        aws.put_gateway_metrics(outside, count=100, client=100, server=100)
        aws.put_api_metrics(outside, predictions=100)

    counts = run()

    expected = TrafficCounted(
        since=HOUR,
        until=HOUR + timedelta(hours=1),
        requests=20,
        client_errors=6,
        server_errors=2,
        predictions=8,
    )
    assert [parse_message(body) for body in aws.sent()] == [expected]
    assert counts == expected.model_dump(mode="json", exclude={"type"})


def test_errors_that_never_reached_the_function_count(aws: Aws) -> None:
    # Throttled by API Gateway, or no instance could start: the function answered no event.
    aws.put_gateway_metrics(minute(5), count=30, client=20, server=10)
    counts = run()
    assert (counts["requests"], counts["client_errors"], counts["server_errors"]) == (30, 20, 10)
    assert counts["predictions"] == 0


def test_an_hour_without_traffic_is_counted_as_zero(aws: Aws) -> None:
    counts = run()
    assert [counts[name] for name in ("requests", "client_errors", "server_errors", "predictions")] == [0] * 4
    assert len(aws.sent()) == 1


def test_requests_to_reports_alone_do_not_mean_missing_metrics(aws: Aws) -> None:
    aws.put_gateway_metrics(minute(5), count=3)
    assert run()["requests"] == 3


def test_a_release_check_bypasses_the_gateway(aws: Aws) -> None:
    aws.put_function_metrics(minute(5), invocations=22)
    for _ in range(20):
        aws.put_api_metrics(minute(5), predictions=0)
    assert run()["requests"] == 0


def test_an_hour_of_crashes_has_no_metrics_of_the_api(aws: Aws) -> None:
    aws.put_gateway_metrics(minute(5), count=5, server=5)
    aws.put_function_metrics(minute(5), invocations=5, errors=5)
    assert run()["server_errors"] == 5


def test_missing_metrics_of_the_api_are_a_failure_and_not_zero(aws: Aws) -> None:
    aws.put_gateway_metrics(minute(5), count=12)
    aws.put_function_metrics(minute(5), invocations=12)
    with pytest.raises(TrafficError, match=f"answered 12 events .* not in CloudWatch under {NAMESPACE}"):
        run()
    assert aws.sent() == []


@pytest.mark.parametrize("predictions", [0, 7])
def test_missing_metrics_of_the_gateway_are_a_failure_and_not_zero(aws: Aws, predictions: int) -> None:
    aws.put_api_metrics(minute(5), predictions=predictions)
    if not predictions:
        aws.put("AWS/ApiGateway", "5xx", ("ApiId", "a1b2c3d4"), minute(6), 2)
    with pytest.raises(TrafficError, match="the HTTP API has no requests"):
        run()
    assert aws.sent() == []


def test_incomplete_metrics_are_a_failure(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    def respond(model: object, params: object, **_: object) -> tuple[Any, dict[str, Any]]:
        result = {
            "Id": "requests",
            "Label": "",
            "Timestamps": [],
            "Values": [],
            "StatusCode": "InternalError",
        }
        return _OkResponse(), {"MetricDataResults": [result]}

    traffic_count.cloudwatch().meta.events.register("before-call.cloudwatch.GetMetricData", respond)
    with pytest.raises(TrafficError, match=r"'requests': 'InternalError'.*'predictions': 'no result'"):
        run()
    assert aws.sent() == []


class _OkResponse:
    """An HTTP response that botocore accepts as successful."""

    status_code = 200


def test_only_this_environment_s_metrics_are_read(aws: Aws) -> None:
    requested: list[dict[str, Any]] = []

    def note(params: dict[str, Any], **_: object) -> None:
        requested.extend(query["MetricStat"]["Metric"] for query in params["MetricDataQueries"])

    traffic_count.cloudwatch().meta.events.register("provide-client-params.cloudwatch.GetMetricData", note)
    run()
    assert {metric["Namespace"] for metric in requested} == {NAMESPACE, "AWS/ApiGateway", "AWS/Lambda"}
    assert all(metric["Dimensions"] for metric in requested)


def test_counting_an_hour_again_gives_the_same_count(aws: Aws) -> None:
    aws.put_gateway_metrics(minute(5), count=2)
    assert run() == run() == run({"scheduled_at": "2026-11-23T22:05:00+01:00"})
    assert len(set(aws.sent())) == 1


def test_an_hour_that_has_just_ended_is_not_counted_yet(aws: Aws) -> None:
    assert run({"scheduled_at": "2026-11-23T20:14:59Z"})["until"] == "2026-11-23T19:00:00Z"
    assert run({"scheduled_at": "2026-11-23T20:15:00Z"})["until"] == "2026-11-23T20:00:00Z"


def test_the_default_time_is_now(aws: Aws) -> None:
    until = datetime.fromisoformat(run({})["until"])
    assert timedelta(minutes=15) <= datetime.now(UTC) - until <= timedelta(minutes=76)


@pytest.mark.parametrize("scheduled_at", ["soon", "2199-01-01T00:00:00Z"])
def test_an_invalid_or_future_time_counts_nothing(aws: Aws, scheduled_at: str) -> None:
    with pytest.raises(InvalidInputError):
        run({"scheduled_at": scheduled_at})
    assert aws.sent() == []
