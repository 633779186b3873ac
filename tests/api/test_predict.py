import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sentiment.messages import PredictionMade, uuid7_time

from functions.api.model.artifact import Artifact
from functions.api.model.classifier import Classifier
from tests.api.driver import Api

GOOD = "A wonderful film. I saw it twice."
BAD = "A dreadful script. We left late."


def test_returns_and_stores_the_same_prediction(api: Api) -> None:
    before = datetime.now(UTC)
    response = api.post("/predict", {"text": f"  {GOOD}\n", "return_probabilities": True})

    assert response.status == 200
    answer = response.json
    assert answer["sentiment"] == "positive"
    assert answer["confidence"] == max(answer["probabilities"].values())
    assert sum(answer["probabilities"].values()) == pytest.approx(1)
    assert answer["model_version"] == api.dependencies.classifier.card.model_version
    assert answer["truncated"] is False
    assert answer["inference_time_ms"] > 0

    [record] = api.queued
    assert isinstance(record, PredictionMade)
    assert record.prediction_id == UUID(answer["prediction_id"])
    assert record.prediction_id.version == 7
    assert record.predicted_at == uuid7_time(record.prediction_id)
    assert before - timedelta(milliseconds=1) <= record.predicted_at <= datetime.now(UTC)
    assert record.text == GOOD
    assert record.characters == len(GOOD)
    assert record.tokens == len(api.dependencies.classifier.tokenize(GOOD).ids)
    assert (record.sentiment, record.confidence) == (answer["sentiment"], answer["confidence"])
    assert record.probabilities == answer["probabilities"]
    assert record.unknown_tokens == 0
    assert record.novelty is not None and 0.3 < record.novelty < 2
    assert record.correlation_id == response.headers["x-correlation-id"]


def test_probabilities_are_returned_only_on_request(api: Api) -> None:
    assert "probabilities" not in api.predict(GOOD).json


def test_positive_and_negative_texts_are_classified(api: Api) -> None:
    assert [api.predict(text).json["sentiment"] for text in (GOOD, BAD)] == ["positive", "negative"]


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("x", 200),
        ("", 422),
        (" \t\n\u3000", 422),
        ("a" * 5000, 200),
        (f"  {'a' * 5000}  ", 200),
        ("a" * 5001, 422),
    ],
)
def test_a_text_has_1_to_5000_characters_after_stripping(api: Api, text: str, status: int) -> None:
    response = api.predict(text)
    assert response.status == status
    if status == 422:
        assert response.json["detail"][0]["loc"] == ["body", "text"]
        assert api.queued == []


@pytest.mark.parametrize(
    "content", [{}, {"text": None}, {"text": 1}, {"text": ["a"]}, [], "text", {"text": "\ud800"}]
)
def test_invalid_requests_are_422_in_fastapis_shape(api: Api, content: object) -> None:
    response = api.post("/predict", content)
    assert response.status == 422
    assert {"type", "loc", "msg"} == set(response.json["detail"][0])


def test_a_422_does_not_echo_the_input(api: Api) -> None:
    assert "private" not in api.post("/predict", {"text": ["private"]}).text


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(codec="utf-8"), max_size=300))
def test_any_text_can_be_classified_and_stored(api: Api, text: str) -> None:
    response = api.predict(text)
    if text.strip():
        assert response.status == 200
        [record] = api.queued
        assert isinstance(record, PredictionMade)
        assert record.text == text.strip().replace("\0", "\ufffd")  # Postgres cannot store NUL
    else:
        assert response.status == 422
    assert api.unsent == {}


@pytest.mark.parametrize(
    "text", ["\uffff\ufffe", "\x00\x01\x1f\x7f", "\U0001f9ff" * 5000, "'; DROP TABLE x; --"]
)
def test_the_queue_accepts_every_character(api: Api, text: str) -> None:
    assert api.predict(text).status == 200
    [body] = api.queued_bodies
    assert body.isascii()  # SQS rejects U+FFFE and U+FFFF
    assert json.loads(body)["text"] == text.strip().replace("\0", "\ufffd")


def test_long_texts_are_truncated_as_the_card_says(api: Api) -> None:
    text = "wonderful film " * 100
    assert api.predict(text).json["truncated"] is True
    [record] = api.queued
    assert isinstance(record, PredictionMade)
    assert record.truncated
    assert record.tokens == 202  # before truncation, special tokens included


def test_unknown_tokens_are_counted_over_the_whole_text(api: Api) -> None:
    api.predict("\N{MONKEY} film " * 300)
    [record] = api.queued
    assert isinstance(record, PredictionMade)
    assert (record.truncated, record.unknown_tokens) == (True, 300)


def test_an_unusual_text_has_a_higher_novelty(api: Api) -> None:
    for text in (GOOD, BAD, "<td></td>" * 20):
        api.predict(text)
    good, bad, markup = (record.novelty for record in api.queued if isinstance(record, PredictionMade))
    assert good is not None and bad is not None and markup is not None
    assert markup > max(good, bad)


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_novelty_that_is_not_finite_is_not_stored(
    make_api: Callable[..., Api], artifact: Artifact, broken: float
) -> None:
    class Overflowing(Classifier):
        def run(self, *inputs: Any) -> Any:
            logits, *pooled = super().run(*inputs)
            return [logits, *(np.full_like(vector, broken) for vector in pooled)]

    api = make_api(classifier=Overflowing(artifact, threads=1, cache_entries=0))
    assert api.predict(GOOD).status == 200
    [record] = api.queued
    assert isinstance(record, PredictionMade)
    assert record.novelty is None


def test_identical_texts_are_cached_but_stored_each_time(
    make_api: Callable[..., Api], artifact: Artifact
) -> None:
    api = make_api(classifier=Classifier(artifact, threads=1, cache_entries=2))
    text = "wonderful film " * 300
    first, second = api.predict(text).json, api.predict(text).json

    assert first["confidence"] == second["confidence"]
    assert second["inference_time_ms"] < first["inference_time_ms"] / 5
    records = [record for record in api.queued if isinstance(record, PredictionMade)]
    assert [str(record.prediction_id) for record in records] == [
        first["prediction_id"],
        second["prediction_id"],
    ]
    assert [record.inference_time_ms for record in records] == [
        first["inference_time_ms"],
        second["inference_time_ms"],
    ]


def test_prediction_ids_are_ordered_by_time(api: Api) -> None:
    ids = []
    for _ in range(5):
        ids.append(api.predict(GOOD).json["prediction_id"])
        time.sleep(0.002)
    assert ids == sorted(ids)


def test_deployment_is_recorded(make_api: Callable[..., Api]) -> None:
    deployment = "019ab1de-7c1f-7d3a-9c55-3f6d3e0a4b21"
    api = make_api(deployment_id=deployment)
    api.predict(GOOD)
    [record] = api.queued
    assert isinstance(record, PredictionMade)
    assert str(record.deployment_id) == deployment
