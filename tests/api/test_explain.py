import math
import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.api.model.classifier import Classifier
from functions.api.model.explanation import explain, read_runs
from tests.api.driver import Api


def log_odds(classifier: Classifier, text: str, label: str) -> float:
    probability = classifier.predict(text).probabilities[label]
    return math.log(probability / (1 - probability))


def test_words_have_offsets_in_the_text_as_sent_and_signed_weights(api: Api) -> None:
    text = "  A wonderful film,<br />naïve 🎬 music!\n"
    response = api.post("/explain", {"text": text})
    assert response.status == 200
    answer = response.json
    words = answer["words"]
    assert [word["text"] for word in words] == ["A", "wonderful", "film", "naïve", "🎬", "music", "!"]
    assert all(text[word["start"] : word["end"]] == word["text"] for word in words)
    assert answer["sentiment"] in api.dependencies.classifier.card.labels
    assert all(word["weight"] for word in words)


@pytest.mark.parametrize(
    "text", ["dreadful", "A wonderful story", "A dreadful story", "the boring script but lovely music"]
)
def test_weights_of_a_short_text_sum_to_the_log_odds(classifier: Classifier, text: str) -> None:
    """They sum to the text's effect on the log-odds of the predicted label."""
    prediction, words = explain(classifier, text)
    moved = log_odds(classifier, text, prediction.sentiment) - log_odds(classifier, "", prediction.sentiment)
    assert sum(word.weight for word in words) == pytest.approx(moved, abs=1e-3)


def test_an_explanation_is_neither_stored_nor_counted(api: Api) -> None:
    assert api.post("/explain", {"text": "A wonderful film"}).status == 200
    assert api.queued == []
    assert 'sentiment_predictions_total{sentiment="positive"} 0.0' in api.get("/metrics").text


def test_words_that_the_deep_part_does_not_read_have_the_weight_of_the_wide_part(api: Api) -> None:
    text = "wonderful film " * 100
    answer = api.post("/explain", {"text": text}).json
    weights = [word["weight"] for word in answer["words"]]
    assert answer["truncated"] is True
    assert len(weights) == 200
    unread = np.array(weights[16:152]).reshape(-1, 2)
    assert np.allclose(unread, unread[0])
    alone = api.dependencies.classifier.wide_logits(api.dependencies.classifier.tokenize(text).text_ids)
    label = api.dependencies.classifier.card.labels.index(answer["sentiment"])
    odds = alone[:, label] - alone[:, 1 - label]
    wonderful, film, pair, other_pair = odds[[21, 22, 202 + 21, 202 + 22]]
    pairs = (pair + other_pair) / 2
    assert unread[0] == pytest.approx([wonderful + pairs, film + pairs], abs=1e-6)


def test_the_same_text_gets_the_same_explanation(classifier: Classifier) -> None:
    text = "A dull story but the music was wonderful. " * 4
    assert explain(classifier, text)[1] == explain(classifier, text)[1]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(codec="utf-8"), min_size=1, max_size=120))
def test_any_text_can_be_explained(api: Api, text: str) -> None:
    response = api.post("/explain", {"text": text})
    if not text.strip():
        assert response.status == 422
        return
    assert response.status == 200
    words = response.json["words"]
    assert words
    assert all(text[word["start"] : word["end"]] == word["text"] for word in words)
    assert all(np.isfinite(word["weight"]) for word in words)


@pytest.mark.parametrize("words", [1, 9, 13, 32, 64, 510])
def test_an_explanation_reads_at_most_the_tokens_of_8_predictions(words: int) -> None:
    """In tokens, without repeated words; a prediction of 64 words reads about 80."""
    ids = list(range(words + 2))
    runs = read_runs(ids, [range(position, position + 1) for position in range(1, words + 1)])
    assert len(runs) >= min(words, 2)
    assert len(runs) == words or words > 13
    assert sum(len(run) for length in runs for run in length) <= 8 * max(len(ids), 80)


def test_64_words_cost_at_most_10_predictions(classifier: Classifier) -> None:
    text = " ".join(f"word{number}" if number % 9 else "wonderful" for number in range(64))

    def seconds(call: Callable[[Classifier, str], object]) -> float:
        start = time.process_time()
        call(classifier, text)
        return time.process_time() - start

    once = min(seconds(Classifier.predict) for _ in range(20))
    assert min(seconds(explain) for _ in range(20)) < 10 * once
