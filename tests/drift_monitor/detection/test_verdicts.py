"""How a window is judged: features, effect sizes, thresholds, verdicts, and the monitor's check of itself."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from functions.drift_monitor.detection.domain_classifier import add_domain_scores
from functions.drift_monitor.detection.effect_sizes import render
from functions.drift_monitor.detection.features import FEATURES, Feature, entropy, shared_features, tabulate
from functions.drift_monitor.detection.self_check import check_detection, shifted
from functions.drift_monitor.detection.thresholds import FLOORS, calibrate
from functions.drift_monitor.detection.verdicts import SINGLE_FEATURE_FACTOR, Verdict, compare, drift_score
from functions.drift_monitor.errors import MonitorError
from tests.drift_monitor.sample_data import LOGGED, Row, cut, one_sided

FLOOR = {feature: FLOORS[feature.kind] for feature in FEATURES}


def table_of(rows: list[Row]) -> pd.DataFrame:
    probabilities = np.array([row["probabilities"] for row in rows])
    return tabulate({name: [row[name] for row in rows] for name in LOGGED}, probabilities)


def judge(
    reference: pd.DataFrame, current: pd.DataFrame, thresholds: dict[Feature, float] | None = None
) -> dict[str, Verdict]:
    verdicts = compare(*add_domain_scores(reference, current), thresholds or FLOOR, drift_threshold=0.5)
    return {verdict.name: verdict for verdict in verdicts}


def test_entropy_is_one_when_all_labels_are_alike_and_zero_when_one_is_sure() -> None:
    rows = np.array([[0.5, 0.5], [1.0, 0.0]])
    assert entropy(rows) == pytest.approx([1.0, 0.0], abs=1e-9)
    assert entropy(np.full((1, 5), 0.2)) == pytest.approx([1.0])


def test_the_same_rows_have_not_moved_at_all(reference: pd.DataFrame) -> None:
    verdicts = judge(reference, reference)
    assert {shift.strength for verdict in verdicts.values() for shift in verdict.shifts} == {0.0}
    assert not any(verdict.drifted for verdict in verdicts.values())


def test_the_size_of_a_shift_does_not_grow_with_the_window(
    reference: pd.DataFrame, traffic: list[Row]
) -> None:
    few, many = (judge(reference, table_of(cut(traffic[:n], words=120))) for n in (300, 3000))
    sizes = {shift.feature: shift.effect for shift in many["data_drift"].shifts}
    assert {shift.feature.name for shift in few["data_drift"].moved} >= {"characters", "truncated", "text"}
    for shift in few["data_drift"].moved:
        assert sizes[shift.feature] == pytest.approx(shift.effect, rel=0.25)


def test_one_pasted_book_is_no_drift(reference: pd.DataFrame, traffic: list[Row]) -> None:
    book = traffic[0] | {"text": "word " * 200_000, "characters": 1_000_000, "tokens": 250_000}
    assert judge(reference, table_of([*traffic[:299], book]))["data_drift"].moved == ()


def test_a_feature_far_over_its_threshold_decides_alone(reference: pd.DataFrame, traffic: list[Row]) -> None:
    verdict = judge(reference, table_of(one_sided(traffic, 0.8, size=400)))["prediction_drift"]
    assert [shift.feature.name for shift in verdict.moved] == ["sentiment"]
    assert verdict.shifts[0].strength > SINGLE_FEATURE_FACTOR
    assert verdict.score == 0.5
    assert verdict.drifted

    milder = judge(reference, table_of(one_sided(traffic, 0.65, size=400)))["prediction_drift"]
    assert 1 < milder.shifts[0].strength < SINGLE_FEATURE_FACTOR
    assert not milder.drifted


def test_what_the_model_says_can_drift_while_its_inputs_stay(
    reference: pd.DataFrame, traffic: list[Row]
) -> None:
    current = table_of(traffic[:500]).assign(confidence=0.55, entropy=0.99)
    verdicts = judge(reference, current)
    assert not verdicts["data_drift"].moved
    assert {shift.feature.name for shift in verdicts["prediction_drift"].moved} == {"confidence", "entropy"}
    assert verdicts["prediction_drift"].drifted
    assert drift_score(tuple(verdicts.values())) == pytest.approx(1 / 5), "both tell of certainty"


@pytest.mark.parametrize(
    ("lacking", "left_out"),
    [
        ("text", {"words", "language", "text"}),
        ("novelty", {"novelty"}),
        ("unknown_tokens", {"unknown_pieces"}),
    ],
)
def test_what_one_row_lacks_is_left_out_of_the_comparison(
    reference: pd.DataFrame, traffic: list[Row], lacking: str, left_out: set[str]
) -> None:
    current = table_of([traffic[0] | {lacking: None}, *traffic[1:300]])
    compared = shared_features(*add_domain_scores(reference, current))
    assert {feature.name for feature in FEATURES} - {feature.name for feature in compared} == left_out


def test_features_of_one_aspect_have_one_vote(reference: pd.DataFrame) -> None:
    longer = reference.assign(**{name: reference[name] * 1.17 for name in ("characters", "words", "tokens")})
    verdict = judge(reference, longer)["data_drift"]
    assert {shift.feature.name for shift in verdict.moved} == {"characters", "words", "tokens"}
    assert verdict.score == pytest.approx(1 / 3), "length, but neither language nor content"
    assert not verdict.drifted


def test_unknown_pieces_where_there_were_none_are_seen_and_one_odd_text_is_not(
    reference: pd.DataFrame, traffic: list[Row]
) -> None:
    def moved(odd: int) -> bool:
        rows = [row | {"unknown_tokens": row["tokens"] // 4} for row in traffic[:odd]]
        verdict = judge(reference, table_of(rows + traffic[odd:500]))["data_drift"]
        return "unknown_pieces" in {shift.feature.name for shift in verdict.moved}

    assert [moved(odd) for odd in (1, 100)] == [False, True]


def test_small_windows_get_wider_thresholds_and_large_ones_the_classical_floor(
    reference: pd.DataFrame,
) -> None:
    small, again, large = (
        calibrate(reference, FEATURES, rows=rows, false_alarm_rate=0.01) for rows in (100, 100, 4000)
    )
    assert small == again, "the same reference and size give the same thresholds"
    assert {feature.name: threshold for feature, threshold in small.items()}["characters"] > 0.2
    assert large == FLOOR
    assert all(small[feature] >= large[feature] for feature in FEATURES)


def test_real_windows_without_a_shift_raise_no_more_alarms_than_stated(
    reference: pd.DataFrame, traffic: list[Row]
) -> None:
    """200 windows of real reviews that the reference has never seen; the stated rate allows 2 on average.

    Of what is calibrated by bootstrap; windows with their texts are replayed in test_simulation.
    """
    bootstrapped = [feature for feature in FEATURES if feature.kind != "text"]
    thresholds = calibrate(reference, bootstrapped, rows=300, false_alarm_rate=0.01)
    random = np.random.default_rng(3)
    windows = (
        table_of([traffic[i] for i in random.choice(len(traffic), 300, replace=False)]) for _ in range(200)
    )
    verdicts = (compare(reference, window, thresholds, drift_threshold=0.5) for window in windows)
    alarms = sum(any(verdict.moved for verdict in pair) for pair in verdicts)
    assert alarms <= 4


def test_the_report_is_judged_by_the_same_figures(reference: pd.DataFrame, traffic: list[Row]) -> None:
    current = table_of(cut(traffic[:300], words=60))
    page = render(*add_domain_scores(reference, current), FLOOR, verdicts={"data drift": "drift: 2 of 3"})
    assert "drift: 2 of 3" in page
    assert "Dataset Drift" not in page, "which would be Evidently's own verdict, by another rule"
    shown = re.findall(r'"data_drift": "(Not Detected|Detected)", "drift_score": ([0-9.e-]+)', page)
    assert not any(" ".join(row["text"].split()[:8]) in page for row in traffic[:300])
    ours = [shift for verdict in judge(reference, current).values() for shift in verdict.shifts]
    assert sorted((float(score), verdict) for verdict, score in shown) == [
        (pytest.approx(shift.effect, abs=1e-6), "Detected" if shift.strength > 1 else "Not Detected")
        for shift in sorted(ours, key=lambda shift: shift.effect)
    ]


def test_the_check_passes_on_sound_thresholds(reference: pd.DataFrame) -> None:
    thresholds = calibrate(reference, FEATURES, rows=200, false_alarm_rate=0.01)
    check_detection(reference, thresholds, rows=200, drift_threshold=0.5)


@pytest.mark.parametrize(
    ("factor", "drift_threshold", "message"),
    [
        (1000, 0.5, "it sees no data drift and no prediction drift where every feature was moved far"),
        (1, -0.1, "it sees data drift and prediction drift in the reference itself"),
    ],
)
def test_the_check_fails_on_a_blind_monitor_and_on_one_that_cries_wolf(
    reference: pd.DataFrame, factor: float, drift_threshold: float, message: str
) -> None:
    thresholds = {feature: factor * threshold for feature, threshold in FLOOR.items()}
    with pytest.raises(MonitorError, match=message):
        check_detection(reference, thresholds, rows=200, drift_threshold=drift_threshold)


@pytest.mark.parametrize(
    "changes",
    [
        {"sentiment": "positive"},
        {"confidence": 0.5, "entropy": 1.0},
        {"confidence": 1.0, "entropy": 0.0},
        {"truncated": True},
        {"characters": 9, "words": 3, "tokens": 5, "truncated": False},
        {"language": "other", "unknown_pieces": 1.0, "novelty": 9.0},
    ],
)
def test_the_built_in_shift_moves_every_feature_of_any_reference(
    reference: pd.DataFrame, changes: dict[str, Any]
) -> None:
    odd = reference.assign(**changes)
    for verdict in judge(odd, shifted(odd)).values():
        assert len(verdict.moved) == len(verdict.shifts)
