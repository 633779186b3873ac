import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sentiment.messages import PredictionMade

from tests.api.driver import Api

REVIEW = st.lists(
    st.sampled_from(["wonderful", "dull", "film", "<br />", "not", "!", "story", "the"]),
    min_size=1,
    max_size=80,
).map(" ".join)


def outcome(answer: dict[str, object]) -> dict[str, object]:
    return {name: answer[name] for name in ("sentiment", "confidence", "probabilities", "truncated")}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(REVIEW, min_size=1, max_size=12))
def test_a_text_gets_the_same_prediction_alone_and_in_a_batch(api: Api, texts: list[str]) -> None:
    batch = api.post("/predict/batch", {"texts": texts, "return_probabilities": True}).json["results"]
    alone = [api.post("/predict", {"text": text, "return_probabilities": True}).json for text in texts]
    assert [outcome(answer) for answer in batch] == [outcome(answer) for answer in alone]


def test_results_are_in_order_and_each_is_stored(api: Api) -> None:
    texts = [f"A {word} film, number {number}." for number, word in enumerate(["dull", "great"] * 32)]
    results = api.post("/predict/batch", {"texts": texts}).json["results"]

    records = {
        str(record.prediction_id): record for record in api.queued if isinstance(record, PredictionMade)
    }
    assert [records[result["prediction_id"]].text for result in results] == texts
    assert [result["sentiment"] for result in results] == ["negative", "positive"] * 32


def test_repeated_texts_are_computed_once_and_stored_each_time(api: Api) -> None:
    results = api.post("/predict/batch", {"texts": ["great film"] * 3}).json["results"]
    assert len({result["prediction_id"] for result in results}) == 3
    assert len({result["inference_time_ms"] for result in results}) == 1
    assert len(api.queued) == 3


@pytest.mark.parametrize("bad", ["  ", "a" * 5001, None, 7, "\ud800"])
def test_an_invalid_text_has_an_error_in_its_place_and_fails_no_other(api: Api, bad: object) -> None:
    response = api.post("/predict/batch", {"texts": ["A great film.", bad, "A dull film."]})
    assert response.status == 200
    first, second, third = response.json["results"]
    assert (first["sentiment"], third["sentiment"]) == ("positive", "negative")
    assert second["error"]["code"] == "invalid_input"
    assert len(api.queued) == 2


def test_a_batch_of_only_invalid_texts_returns_their_errors(api: Api) -> None:
    response = api.post("/predict/batch", {"texts": [" ", ""]})
    assert [result["error"]["code"] for result in response.json["results"]] == ["invalid_input"] * 2
    assert api.queued == []


@pytest.mark.parametrize("texts", [[], ["a"] * 65, "a", None])
def test_a_batch_has_1_to_64_texts(api: Api, texts: object) -> None:
    response = api.post("/predict/batch", {"texts": texts})
    assert response.status == 422
    assert response.json["detail"][0]["loc"] == ["body", "texts"]


def test_the_largest_batch_fits_the_queues_limits(api: Api) -> None:
    emoji = "\N{GRINNING FACE}"  # 4 bytes in the body, 12 in the message
    texts = [f"{number:02}" + emoji * 3900 for number in range(64)]
    body = json.dumps({"texts": texts}, ensure_ascii=False).encode()
    assert api.request("POST", "/predict/batch", body).status == 200
    assert len(api.queued) == 64
    assert api.unsent == {}
