"""Every returned prediction is stored: in the queue, else in S3, else it is not returned."""

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sentiment.messages import FeedbackGiven, PredictionMade, parse_message

from functions.api.outbox import Outbox
from tests.api.driver import Api

FEEDBACK = "/predictions/019ab1de-7c1f-7d3a-9c55-3f6d3e0a4b21/feedback"


def test_a_rejected_record_is_stored_in_s3_as_the_exact_message(api: Api) -> None:
    api.break_queue()
    answer = api.predict("A great film")
    assert answer.status == 200

    [(key, body)] = api.unsent.items()
    assert key == f"unsent/{datetime.now(UTC):%Y/%m/%d}/{answer.json['prediction_id']}.json"
    record = parse_message(body)
    assert isinstance(record, PredictionMade)
    assert record.text == "A great film"


def test_rejected_feedback_is_stored_in_s3_under_its_own_key(api: Api) -> None:
    api.break_queue()
    for label in ("positive", "negative"):
        assert api.post(FEEDBACK, {"label": label}).status == 202
    assert all(re.fullmatch(r"unsent/\d{4}/\d\d/\d\d/[0-9a-f-]{36}\.json", key) for key in api.unsent)
    records = [parse_message(body) for body in api.unsent.values()]
    assert {record.label for record in records if isinstance(record, FeedbackGiven)} == {
        "positive",
        "negative",
    }


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/predict", {"text": "great"}),
        ("/predict/batch", {"texts": ["great", "dull"]}),
        (FEEDBACK, {"label": "positive"}),
    ],
)
def test_503_if_neither_the_queue_nor_s3_accepts_the_record(api: Api, path: str, content: object) -> None:
    api.break_queue()
    api.break_fallback()
    response = api.post(path, content)
    assert response.status == 503
    assert response.json["error"]["code"] == "not_stored"
    assert 'sentiment_predictions_total{sentiment="positive"} 0.0' in api.get("/metrics").text
    assert "prediction_id" not in response.text


def test_a_batch_larger_than_one_call_falls_back_as_a_whole(api: Api) -> None:
    api.break_queue()
    texts = [f"great {number}" for number in range(25)]
    assert api.post("/predict/batch", {"texts": texts}).status == 200
    assert {json.loads(body)["text"] for body in api.unsent.values()} == set(texts)


def test_only_entries_that_the_queue_rejects_go_to_s3(
    make_api: Callable[..., Api], picky_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", picky_endpoint)
    api = make_api()
    texts = [f"{word} {number}" for number, word in enumerate(["great", "refused"] * 8)]
    results = api.post("/predict/batch", {"texts": texts}).json["results"]
    assert all("prediction_id" in result for result in results)
    assert {json.loads(body)["text"] for body in api.unsent.values()} == set(texts[1::2])


def test_a_text_that_could_not_be_stored_has_an_error_in_its_place(
    make_api: Callable[..., Api], picky_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", picky_endpoint)
    api = make_api()
    api.break_fallback()
    response = api.post("/predict/batch", {"texts": ["great", "refused", " ", "lovely"]})
    assert response.status == 200
    codes = [result.get("error", {}).get("code") for result in response.json["results"]]
    assert codes == [None, "not_stored", "invalid_input", None]
    assert "prediction_id" not in response.json["results"][1]


def test_a_queue_that_does_not_respond_times_out_within_seconds(
    make_api: Callable[..., Api], silent_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", silent_endpoint)
    api = make_api()
    start = time.monotonic()
    assert api.post("/predict/batch", {"texts": [f"great {number}" for number in range(30)]}).status == 200
    assert time.monotonic() - start < 10  # API Gateway times out after 30
    assert len(api.unsent) == 30


def test_nothing_is_returned_before_it_is_stored(api: Api) -> None:
    """When the handler returns, the record is stored: no task is left to run afterwards."""
    answer = api.predict("A great film")
    [record] = api.queued
    assert str(record.prediction_id) == answer.json["prediction_id"]


def test_an_unknown_region_makes_queue_and_fallback_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    outbox = Outbox(queue_url="http://127.0.0.1:1/queue", unsent_bucket="bucket")
    assert not outbox.queue_available()
    assert not outbox.fallback_available()
