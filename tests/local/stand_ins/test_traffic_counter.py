"""The traffic of the API, as messages in the queue of the predictions."""

from collections.abc import Mapping
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import generate_latest
from sentiment.messages import TrafficCounted, parse_message

from local.stand_ins.lambda_runtime import FunctionError
from local.stand_ins.moto_server import LocalAws
from local.stand_ins.traffic_counter import TrafficCounter


class Api:
    """An API with the two metrics that are read; `restart` resets them as a crash does."""

    name, cold_start_ms = "api", 600.0

    def __init__(self) -> None:
        self.is_down = False
        self.restart()

    def restart(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Histogram(
            "sentiment_request_seconds", "…", ["route", "status"], registry=self._registry
        )
        self._predictions = Counter("sentiment_predictions", "…", ["sentiment"], registry=self._registry)

    def serve(self, status: int, *, route: str = "/predict", predictions: int = 0) -> None:
        self._requests.labels(route, str(status)).observe(0.01)
        self._predictions.labels("positive").inc(predictions)

    def invoke(self, event: Mapping[str, Any]) -> Any:
        if self.is_down:
            raise FunctionError("the emulator crashed")
        assert event["rawPath"] == "/metrics"
        self.serve(200, route="/metrics")
        return {"statusCode": 200, "body": generate_latest(self._registry).decode()}

    def peak_memory_mb(self) -> None: ...
    def retire(self) -> None: ...
    def close(self) -> None: ...


def counts(counted: TrafficCounted | None) -> tuple[int, int, int, int]:
    assert counted is not None
    return counted.requests, counted.client_errors, counted.server_errors, counted.predictions


def sent(aws: LocalAws) -> list[TrafficCounted]:
    received = aws.client("sqs").receive_message(QueueUrl=aws.queue_url, MaxNumberOfMessages=10)
    messages = [parse_message(message["Body"]) for message in received.get("Messages", [])]
    assert all(isinstance(message, TrafficCounted) for message in messages)
    return sorted(messages, key=lambda message: message.since)  # type: ignore[union-attr,arg-type,return-value]


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def counter(api: Api, aws: LocalAws) -> TrafficCounter:
    return TrafficCounter(api, aws.client("sqs"), aws.queue_url)


def test_a_count_is_the_increase_since_the_last_and_spans_are_contiguous(
    api: Api, counter: TrafficCounter, aws: LocalAws
) -> None:
    api.serve(200, predictions=1)
    api.serve(200, route="/predict/batch", predictions=64)
    api.serve(422)
    api.serve(503)
    assert counts(counter.count()) == (4, 1, 1, 65)
    api.serve(200, predictions=1)
    assert counts(counter.count()) == (1, 0, 0, 1), "and reading the metrics is not counted"
    first, second = sent(aws)
    assert first.until == second.since


def test_a_restarted_api_is_counted_from_zero(api: Api, counter: TrafficCounter) -> None:
    for _ in range(3):
        api.serve(200, predictions=1)
    counter.count()
    api.restart()
    api.serve(200, predictions=1)
    assert counts(counter.count()) == (1, 0, 0, 1)


def test_without_traffic_nothing_is_sent_and_the_span_is_extended(
    api: Api, counter: TrafficCounter, aws: LocalAws
) -> None:
    assert counter.count() is None
    api.serve(200, predictions=1)
    counted = counter.count()
    assert counted is not None
    assert [message.since for message in sent(aws)] == [counted.since]


def test_an_api_that_was_never_called_is_not_started(api: Api, counter: TrafficCounter) -> None:
    api.cold_start_ms = None  # type: ignore[assignment]
    api.is_down = True  # so that a request would fail
    assert counter.count() is None


def test_a_failed_count_is_part_of_the_next_one(api: Api, counter: TrafficCounter) -> None:
    api.serve(200, predictions=1)
    api.is_down = True
    with pytest.raises(FunctionError):
        counter.count()
    api.is_down = False
    assert counts(counter.count()) == (1, 0, 0, 1)


def test_traffic_is_counted_a_last_time_at_stop(api: Api, aws: LocalAws) -> None:
    counter = TrafficCounter(api, aws.client("sqs"), aws.queue_url, every_seconds=3600)
    counter.start()
    api.serve(200, predictions=1)
    counter.stop()
    assert [counts(message) for message in sent(aws)] == [(1, 0, 0, 1)]
