"""Each shift has its properties and the given strength."""

import random

import pytest

from functions.drift_monitor.detection.features import FEATURES
from functions.drift_monitor.detection.language import detect_languages
from local.drift_lab.shifts import CUT_CHARACTERS, SHIFTS
from local.reviews import Review
from training.config import configure
from training.data.sources import read


@pytest.fixture(scope="module")
def pool() -> list[Review]:
    table = read(configure())
    chosen = random.Random(1).sample(range(len(table.texts)), 600)
    return [Review(table.texts[i], ("negative", "positive")[int(table.labels[i])]) for i in chosen]


@pytest.mark.parametrize("name", SHIFTS)
@pytest.mark.parametrize("strength", [0.0, 0.25, 1.0])
def test_the_given_share_of_rows_is_shifted(pool: list[Review], name: str, strength: float) -> None:
    window = SHIFTS[name].window(pool, 200, random.Random(2), strength=strength)
    assert len(window) == 200
    assert all(review.text.strip() for review in window)
    unshifted = {review.text for review in pool}
    if name != "label_mix":  # its texts come from the pool
        assert sum(review.text not in unshifted for review in window) == pytest.approx(200 * strength, abs=3)


def test_the_same_seed_gives_the_same_window(pool: list[Review]) -> None:
    for shift in SHIFTS.values():
        assert shift.window(pool, 50, random.Random(3)) == shift.window(pool, 50, random.Random(3))


def test_each_shift_has_its_properties(pool: list[Review]) -> None:
    windows = {name: shift.window(pool, 300, random.Random(4)) for name, shift in SHIFTS.items()}
    assert sum(review.label == "negative" for review in windows["label_mix"]) == 240
    assert max(len(review.text) for review in windows["cut_short"]) == CUT_CHARACTERS
    assert detect_languages(review.text for review in windows["another_language"]) == 300 * ["de"]
    assert detect_languages(review.text for review in windows["broken_markup"]) == 300 * ["none"]
    assert max(len(review.text) for review in windows["rotten_tomatoes"]) < 300


def test_top_features_are_features_of_the_monitor() -> None:
    names = {(feature.verdict, feature.name) for feature in FEATURES}
    for shift in SHIFTS.values():
        assert {(shift.verdict, name) for name in shift.top_features} <= names
