"""Which phrases are shown for a change, and which must never be."""

import numpy as np
import pytest

from functions.drift_monitor.detection.phrases import PRIOR_COUNT, log_odds, typical_phrases
from tests.drift_monitor.sample_data import Row


def texts(rows: list[Row]) -> list[str]:
    return [row["text"] for row in rows]


def test_log_odds_match_the_paper() -> None:
    """Equations 16, 19, 20 and 22, written out for one word."""
    current, reference = np.array([30.0, 970.0]), np.array([10.0, 990.0])
    prior = PRIOR_COUNT * 40 / 2000
    ours, theirs = 30 + prior, 10 + prior
    total = 1000 + PRIOR_COUNT
    delta = np.log(ours / (total - ours)) - np.log(theirs / (total - theirs))
    assert log_odds(current, reference)[0] == pytest.approx(delta / np.sqrt(1 / ours + 1 / theirs))


def test_the_phrases_of_a_change_come_first(traffic: list[Row]) -> None:
    about = [f"{text} The battery life of this phone is poor." for text in texts(traffic[:300])]
    found = typical_phrases(texts(traffic[300:1300]), about)
    words = {word for phrase in found[:3] for word in phrase.phrase.split()}
    assert words <= {"the", "battery", "life", "of", "this", "phone", "is", "poor"}
    assert all(phrase.current > phrase.reference for phrase in found)
    assert [phrase.z for phrase in found] == sorted((phrase.z for phrase in found), reverse=True)


def test_similar_texts_have_few_phrases(traffic: list[Row]) -> None:
    found = typical_phrases(texts(traffic[:1500]), texts(traffic[1500:2500]))
    assert all(phrase.z < 6 for phrase in found)


@pytest.mark.parametrize("different", [4, 5])
def test_a_phrase_of_fewer_than_five_distinct_texts_is_never_shown(
    traffic: list[Row], different: int
) -> None:
    name = "xanthippe"
    current = [text[:300] for text in texts(traffic[:200])]
    current += [f"{f'{name} ' * 9}{text[:300]}" for text in texts(traffic[200 : 200 + different])]
    found = {phrase.phrase for phrase in typical_phrases(texts(traffic[1000:2000]), current)}
    assert any(name in phrase for phrase in found) is (different == 5)


def test_a_text_that_is_sent_a_thousand_times_counts_once(traffic: list[Row]) -> None:
    current = texts(traffic[:200]) + ["xanthippe lives at the old mill"] * 1000
    found = typical_phrases(texts(traffic[1000:2000]), current)
    assert not any("xanthippe" in phrase.phrase or "mill" in phrase.phrase for phrase in found)


def test_in_large_windows_a_phrase_must_be_in_one_text_of_two_hundred(traffic: list[Row]) -> None:
    current = texts(traffic[:2000])
    rare = [f"xanthippe xanthippe {text}" if i < 9 else text for i, text in enumerate(current)]
    found = typical_phrases(texts(traffic[2000:3000]), rare)
    assert not any("xanthippe" in phrase.phrase for phrase in found)


def test_numbers_are_not_phrases(traffic: list[Row]) -> None:
    current = [f"call 0171 5550123 or room4b {text}" for text in texts(traffic[:300])]
    found = typical_phrases(texts(traffic[1000:2000]), current)
    assert not any(character.isdigit() for phrase in found for character in phrase.phrase)


@pytest.mark.parametrize("current", [[], ["one text"], ["1 2 3"] * 50])
def test_too_few_texts_give_no_phrases(traffic: list[Row], current: list[str]) -> None:
    assert typical_phrases(texts(traffic[:200]), current) == []
    assert typical_phrases(current, texts(traffic[:200])) == [] or current == ["1 2 3"] * 50
