"""What the API says it answered, as facts in the queue of the predictions."""

from collections.abc import Mapping
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import generate_latest
from sentiment.messages import TrafficCounted, parse_message

from local.stand_ins.aws import LocalAws
from local.stand_ins.lambda_runtime import FunctionError
from local.stand_ins.traffic_counter import TrafficCounter


class Api:
    """An API with the two figures that are read; `begin_anew` is what a crash does to them."""

    name, cold_start_ms = "api", 600.0

    def __init__(self) -> None:
        self.is_away = False
        self.begin_anew()

    def begin_anew(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Histogram(
            "sentiment_request_seconds", "…", ["route", "status"], registry=self._registry
        )
        self._predictions = Counter("sentiment_predictions", "…", ["sentiment"], registry=self._registry)

    def answer(self, status: int, *, route: str = "/predict", predictions: int = 0) -> None:
        self._requests.labels(route, str(status)).observe(0.01)
        self._predictions.labels("positive").inc(predictions)

    def invoke(self, event: Mapping[str, Any]) -> Any:
        if self.is_away:
            raise FunctionError("the emulator died")
        assert event["rawPath"] == "/metrics"
        self.answer(200, route="/metrics")
        return {"statusCode": 200, "body": generate_latest(self._registry).decode()}

    def peak_memory_mb(self) -> None: ...
    def retire(self) -> None: ...
    def close(self) -> None: ...


def figures(counted: TrafficCounted | None) -> tuple[int, int, int, int]:
    assert counted is not None
    return counted.requests, counted.client_errors, counted.server_errors, counted.predictions


def sent(aws: LocalAws) -> list[TrafficCounted]:
    messages = aws.client("sqs").receive_message(QueueUrl=aws.queue_url, MaxNumberOfMessages=10)
    facts = [parse_message(message["Body"]) for message in messages.get("Messages", [])]
    assert all(isinstance(fact, TrafficCounted) for fact in facts)
    return sorted(facts, key=lambda fact: fact.since)  # type: ignore[union-attr,arg-type,return-value]


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def counter(api: Api, aws: LocalAws) -> TrafficCounter:
    return TrafficCounter(api, aws.client("sqs"), aws.queue_url)


def test_a_count_is_what_was_added_since_the_last_and_spans_follow_each_other(
    api: Api, counter: TrafficCounter, aws: LocalAws
) -> None:
    api.answer(200, predictions=1)
    api.answer(200, route="/predict/batch", predictions=64)
    api.answer(422)
    api.answer(503)
    assert figures(counter.count()) == (4, 1, 1, 65)
    api.answer(200, predictions=1)
    assert figures(counter.count()) == (1, 0, 0, 1), "and reading the figures is no traffic"
    first, second = sent(aws)
    assert first.until == second.since


def test_an_api_that_began_anew_is_counted_from_zero(api: Api, counter: TrafficCounter) -> None:
    for _ in range(3):
        api.answer(200, predictions=1)
    counter.count()
    api.begin_anew()
    api.answer(200, predictions=1)
    assert figures(counter.count()) == (1, 0, 0, 1)


def test_without_traffic_nothing_is_sent_and_the_span_goes_on(
    api: Api, counter: TrafficCounter, aws: LocalAws
) -> None:
    assert counter.count() is None
    api.answer(200, predictions=1)
    counted = counter.count()
    assert counted is not None
    assert [fact.since for fact in sent(aws)] == [counted.since]


def test_an_api_that_nobody_called_is_not_started_to_be_counted(api: Api, counter: TrafficCounter) -> None:
    api.cold_start_ms = None  # type: ignore[assignment]
    api.is_away = True  # so that asking would fail
    assert counter.count() is None


def test_what_could_not_be_read_is_part_of_the_next_count(api: Api, counter: TrafficCounter) -> None:
    api.answer(200, predictions=1)
    api.is_away = True
    with pytest.raises(FunctionError):
        counter.count()
    api.is_away = False
    assert figures(counter.count()) == (1, 0, 0, 1)


def test_it_counts_by_itself_and_a_last_time_when_it_is_stopped(api: Api, aws: LocalAws) -> None:
    counter = TrafficCounter(api, aws.client("sqs"), aws.queue_url, every_seconds=3600)
    counter.start()
    api.answer(200, predictions=1)
    counter.stop()
    assert [figures(fact) for fact in sent(aws)] == [(1, 0, 0, 1)]
