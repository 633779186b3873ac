"""Weeks of real reviews, answered by a real model, hour by hour: silence while nothing shifts, then not.

A window is judged as in a run, its size as `choose_window` would choose it, and paged as history.py says.
`python -m benchmarks.drift` does the same with the model of artifacts/model and through the whole handler.
"""

import random
from collections.abc import Iterator, Mapping

import pandas as pd
import pytest
from scipy.stats import binom

from functions.drift_monitor.detection.domain_classifier import add_domain_scores
from functions.drift_monitor.detection.features import FEATURES, Feature
from functions.drift_monitor.detection.thresholds import calibrate
from functions.drift_monitor.detection.verdicts import Verdict, compare
from functions.drift_monitor.verdict_history import Persistence
from local.drift_lab.shifts import SHIFTS, Shift
from tests.drift_monitor.linear_model import Served, train

HOURS = 216
SUFFICIENT = 500  # rows of a window
RATE = 0.01
PERSISTENCE = Persistence(runs=2, window=3)
VERDICTS = ("data_drift", "prediction_drift")

Thresholds = Mapping[Feature, float]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served() -> Served:
    return train(4000)


@pytest.fixture(scope="module")
def reference(served: Served) -> pd.DataFrame:
    return served.answer.table(served.unseen[:1000])


@pytest.fixture(scope="module")
def thresholds(reference: pd.DataFrame) -> Thresholds:
    return calibrate(reference, FEATURES, rows=SUFFICIENT, false_alarm_rate=RATE)


@pytest.fixture(scope="module")
def traffic(served: Served) -> pd.DataFrame:
    """What was logged of reviews that neither training nor the reference has seen."""
    return served.answer.table(served.unseen[1000:13_000])


def judge(reference: pd.DataFrame, window: pd.DataFrame, thresholds: Thresholds) -> dict[str, Verdict]:
    verdicts = compare(*add_domain_scores(reference, window), thresholds, drift_threshold=0.5)
    return {verdict.name: verdict for verdict in verdicts}


def hours_of(traffic: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Give hour by hour what came in: 250 reviews in a quiet hour, 600 in a busy one, none twice in a day."""
    chance = random.Random(7)
    left: list[int] = []
    for hour in range(HOURS):
        count = 250 if hour % 24 < 8 else 600
        if len(left) < count:
            left = chance.sample(range(len(traffic)), len(traffic))
        yield traffic.iloc[[left.pop() for _ in range(count)]]


def paged(course: list[bool]) -> list[bool]:
    """Tell of each run, oldest first, whether people would have been told by then."""
    return [PERSISTENCE.holds(course[: number + 1][::-1]) for number in range(len(course))]


def windows_of(hours: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Give the window of each hourly run: the last 1, 2, 4, … hours, until they hold enough."""
    past: list[pd.DataFrame] = []
    for hour in hours:
        past = [*past, hour][-16:]
        length = 1
        while sum(map(len, past[-length:])) < SUFFICIENT and length < len(past):
            length *= 2
        yield pd.concat(past[-length:], ignore_index=True)


def test_over_a_week_without_a_shift_alarms_are_no_more_than_stated_and_nobody_is_paged(
    reference: pd.DataFrame, traffic: pd.DataFrame, thresholds: Thresholds
) -> None:
    windows = [window for window in windows_of(hours_of(traffic)) if len(window) >= SUFFICIENT]
    courses: dict[str, list[bool]] = {name: [] for name in VERDICTS}
    moved = 0
    for window in windows:
        verdicts = judge(reference, window, thresholds)
        moved += any(verdict.moved for verdict in verdicts.values())
        for name in VERDICTS:
            courses[name].append(verdicts[name].drifted)

    assert len(windows) >= 200
    # What a rate of 1% exceeds in one of a hundred such weeks.
    allowed = binom.ppf(0.99, len(windows), RATE)
    assert moved <= allowed, "runs that saw any feature over its threshold"
    assert sum(any(drifted) for drifted in zip(*courses.values(), strict=True)) <= allowed
    assert not any(any(paged(course)) for course in courses.values())


@pytest.mark.parametrize("shift", SHIFTS.values(), ids=SHIFTS)
def test_each_shift_is_told_within_three_windows_with_its_verdict_and_its_feature(
    served: Served, reference: pd.DataFrame, thresholds: Thresholds, shift: Shift
) -> None:
    chance = random.Random(11)
    verdicts = [
        judge(reference, served.answer.table(window), thresholds)
        for window in (shift.window(served.unseen[1000:9000], SUFFICIENT, chance) for _ in range(3))
    ]

    course = [verdict[shift.verdict].drifted for verdict in verdicts]
    assert any(paged(course)), [verdict[shift.verdict].figures() for verdict in verdicts]
    for verdict in verdicts:
        assert verdict[shift.verdict].shifts[0].feature.name in shift.top_features
    if shift.verdict == "prediction_drift":
        inputs = [verdict["data_drift"].drifted for verdict in verdicts]
        assert not any(paged(inputs)), "the texts are of the kind they were"
