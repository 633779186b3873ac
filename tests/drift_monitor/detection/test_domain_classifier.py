"""What is seen of the texts themselves: their language, and whether a model can tell them apart."""

import numpy as np
import pandas as pd
import pytest

from functions.drift_monitor.detection.domain_classifier import FEWEST, add_domain_scores
from functions.drift_monitor.detection.features import FEATURES, TEXT_SCORE
from functions.drift_monitor.detection.language import guess_languages
from functions.drift_monitor.detection.thresholds import auc_of_chance
from functions.drift_monitor.detection.verdicts import compare
from tests.drift_monitor.sample_data import Row

TEXT = next(feature for feature in FEATURES if feature.name == "text")


def auc(reference: list[str], current: list[str]) -> float:
    tables = add_domain_scores(pd.DataFrame({"text": reference}), pd.DataFrame({"text": current}))
    ((shift,),) = (verdict.shifts for verdict in compare(*tables, {TEXT: 0.6}, drift_threshold=0.5))
    return shift.effect


@pytest.fixture(scope="module")
def texts(reviews: list[Row]) -> list[str]:
    return [row["text"] for row in reviews]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("One of the best films I have seen in years, and the ending is a real surprise.", "en"),
        ("Ein langweiliger Film, bei dem ich nach einer halben Stunde eingeschlafen bin.", "de"),
        ("Une histoire touchante, servie par des acteurs remarquables.", "fr"),
        ("Ang ganda ng pelikulang ito at napakahusay ng mga artista.", "other"),
        ("<br /><div></div>", "none"),
        ("10/10 👍", "none"),
        ("", "none"),
    ],
)
def test_the_language_of_a_text_is_guessed(text: str, language: str) -> None:
    assert guess_languages([text]) == [language]


def test_reviews_are_english_whatever_markup_they_hold(texts: list[str]) -> None:
    guessed = guess_languages(texts[:500])
    assert guessed.count("en") >= 499


def test_texts_of_one_kind_cannot_be_told_apart(texts: list[str]) -> None:
    random = np.random.default_rng(5)
    bound = auc_of_chance(1000, 300, rate=0.001)
    for _ in range(10):
        chosen = random.permutation(len(texts))[:1300]
        assert auc([texts[i] for i in chosen[:1000]], [texts[i] for i in chosen[1000:]]) < bound


def test_texts_without_their_usual_words_are_told_apart(texts: list[str]) -> None:
    assert auc(texts[:1000], [text.replace("movie", "toaster") for text in texts[1000:1500]]) > 0.65


def test_the_part_of_foreign_texts_shows_in_how_well_they_are_told_apart(texts: list[str]) -> None:
    foreign = [" ".join(word[::-1] for word in text.split()) for text in texts[1000:1500]]
    mixed = [
        *(auc(texts[:1000], foreign[:count] + texts[1500 + count : 2000]) for count in (0, 50, 100, 500)),
    ]
    assert mixed == sorted(mixed)
    assert mixed[0] < 0.53 and mixed[2] == pytest.approx(0.6, abs=0.03) and mixed[3] > 0.99


def test_a_client_that_repeats_its_texts_is_no_shift(texts: list[str]) -> None:
    assert auc(texts[:1000], 5 * texts[1000:1100]) < auc_of_chance(1000, 100, rate=0.001)


def test_traffic_made_of_the_reference_itself_is_no_shift(texts: list[str]) -> None:
    assert auc(texts[:1000], texts[:500]) < 0.5


def test_the_same_texts_get_the_same_scores_in_whatever_order_they_come(texts: list[str]) -> None:
    assert auc(texts[:200], texts[200:400]) == auc(texts[:200], texts[399:199:-1])


def test_too_few_different_texts_are_not_judged(texts: list[str]) -> None:
    few = pd.DataFrame({"text": 10 * texts[: FEWEST - 1]})
    for table in add_domain_scores(pd.DataFrame({"text": texts[:500]}), few):
        assert TEXT_SCORE not in table


def test_tables_without_texts_are_left_as_they_are(reference: pd.DataFrame) -> None:
    without = reference.drop(columns="text")
    assert all(TEXT_SCORE not in table for table in add_domain_scores(reference, without))
