"""A week of real reviews, predicted by a real model hour by hour: no alerts without a shift, alerts with one.

Windows are evaluated as in a run, with the sizes of `choose_window` and the persistence of verdict_history.
`python -m benchmarks.monitoring.drift` does the same with the model of artifacts/model and the whole handler.
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
from tests.drift_monitor.linear_model import TrainedModel, train

HOURS = 216
SUFFICIENT = 500  # rows of a window
RATE = 0.01
PERSISTENCE = Persistence(runs=2, window=3)
VERDICTS = ("data_drift", "prediction_drift")

Thresholds = Mapping[Feature, float]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained() -> TrainedModel:
    return train(4000)


@pytest.fixture(scope="module")
def reference(trained: TrainedModel) -> pd.DataFrame:
    return trained.model.table(trained.unseen[:1000])


@pytest.fixture(scope="module")
def thresholds(reference: pd.DataFrame) -> Thresholds:
    return calibrate(reference, FEATURES, rows=SUFFICIENT, false_alarm_rate=RATE)


@pytest.fixture(scope="module")
def traffic(trained: TrainedModel) -> pd.DataFrame:
    """Predictions of reviews that are in neither the training data nor the reference."""
    return trained.model.table(trained.unseen[1000:13_000])


def verdicts_of(reference: pd.DataFrame, window: pd.DataFrame, thresholds: Thresholds) -> dict[str, Verdict]:
    verdicts = compare(*add_domain_scores(reference, window), thresholds, drift_threshold=0.5)
    return {verdict.name: verdict for verdict in verdicts}


def hours_of(traffic: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield the reviews of each hour: 250 in a quiet one, 600 in a busy one, none twice in a day."""
    chance = random.Random(7)
    left: list[int] = []
    for hour in range(HOURS):
        count = 250 if hour % 24 < 8 else 600
        if len(left) < count:
            left = chance.sample(range(len(traffic)), len(traffic))
        yield traffic.iloc[[left.pop() for _ in range(count)]]


def alerted(drifted: list[bool]) -> list[bool]:
    """Return for each run, oldest first, whether its verdict sends an alert."""
    return [PERSISTENCE.holds(drifted[: number + 1][::-1]) for number in range(len(drifted))]


def windows_of(hours: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Yield the window of each hourly run: the last 1, 2, 4, … hours, until they hold enough rows."""
    past: list[pd.DataFrame] = []
    for hour in hours:
        past = [*past, hour][-16:]
        length = 1
        while sum(map(len, past[-length:])) < SUFFICIENT and length < len(past):
            length *= 2
        yield pd.concat(past[-length:], ignore_index=True)


def test_a_week_without_a_shift_has_no_alerts_and_no_more_false_alarms_than_stated(
    reference: pd.DataFrame, traffic: pd.DataFrame, thresholds: Thresholds
) -> None:
    windows = [window for window in windows_of(hours_of(traffic)) if len(window) >= SUFFICIENT]
    histories: dict[str, list[bool]] = {name: [] for name in VERDICTS}
    false_alarms = 0
    for window in windows:
        verdicts = verdicts_of(reference, window, thresholds)
        false_alarms += any(verdict.drifted_features for verdict in verdicts.values())
        for name in VERDICTS:
            histories[name].append(verdicts[name].drifted)

    assert len(windows) >= 200
    # A rate of 1% exceeds this in one of a hundred such weeks.
    allowed = binom.ppf(0.99, len(windows), RATE)
    assert false_alarms <= allowed, "runs that saw any feature over its threshold"
    assert sum(any(drifted) for drifted in zip(*histories.values(), strict=True)) <= allowed
    assert not any(any(alerted(history)) for history in histories.values())


@pytest.mark.parametrize("shift", SHIFTS.values(), ids=SHIFTS)
def test_each_shift_sends_its_alert_within_three_windows_and_names_its_feature(
    trained: TrainedModel, reference: pd.DataFrame, thresholds: Thresholds, shift: Shift
) -> None:
    chance = random.Random(11)
    verdicts = [
        verdicts_of(reference, trained.model.table(window), thresholds)
        for window in (shift.window(trained.unseen[1000:9000], SUFFICIENT, chance) for _ in range(3))
    ]

    drifted = [verdict[shift.verdict].drifted for verdict in verdicts]
    assert any(alerted(drifted)), [verdict[shift.verdict].as_dict() for verdict in verdicts]
    for verdict in verdicts:
        assert verdict[shift.verdict].features[0].feature.name in shift.top_features
    if shift.verdict == "prediction_drift":
        inputs = [verdict["data_drift"].drifted for verdict in verdicts]
        assert not any(alerted(inputs)), "the texts have not changed"
