"""How a window gets its verdicts: features, effect sizes, thresholds, and the self-check."""

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
from tests.drift_monitor.sample_data import LOGGED, Row, cut, with_negative_share

FLOOR = {feature: FLOORS[feature.kind] for feature in FEATURES}


def table_of(rows: list[Row]) -> pd.DataFrame:
    probabilities = np.array([row["probabilities"] for row in rows])
    return tabulate({name: [row[name] for row in rows] for name in LOGGED}, probabilities)


def verdicts_of(
    reference: pd.DataFrame, current: pd.DataFrame, thresholds: dict[Feature, float] | None = None
) -> dict[str, Verdict]:
    verdicts = compare(*add_domain_scores(reference, current), thresholds or FLOOR, drift_threshold=0.5)
    return {verdict.name: verdict for verdict in verdicts}


def test_entropy_is_one_for_equal_probabilities_and_zero_for_certainty() -> None:
    rows = np.array([[0.5, 0.5], [1.0, 0.0]])
    assert entropy(rows) == pytest.approx([1.0, 0.0], abs=1e-9)
    assert entropy(np.full((1, 5), 0.2)) == pytest.approx([1.0])


def test_the_same_rows_have_no_drift(reference: pd.DataFrame) -> None:
    verdicts = verdicts_of(reference, reference)
    assert {drift.strength for verdict in verdicts.values() for drift in verdict.features} == {0.0}
    assert not any(verdict.drifted for verdict in verdicts.values())


def test_the_effect_does_not_grow_with_the_window(reference: pd.DataFrame, traffic: list[Row]) -> None:
    few, many = (verdicts_of(reference, table_of(cut(traffic[:n], words=120))) for n in (300, 3000))
    effects = {drift.feature: drift.effect for drift in many["data_drift"].features}
    assert {drift.feature.name for drift in few["data_drift"].drifted_features} >= {
        "characters",
        "truncated",
        "text",
    }
    for drift in few["data_drift"].drifted_features:
        assert effects[drift.feature] == pytest.approx(drift.effect, rel=0.25)


def test_one_pasted_book_is_not_drift(reference: pd.DataFrame, traffic: list[Row]) -> None:
    book = traffic[0] | {"text": "word " * 200_000, "characters": 1_000_000, "tokens": 250_000}
    assert verdicts_of(reference, table_of([*traffic[:299], book]))["data_drift"].drifted_features == ()


def test_a_single_feature_far_over_its_threshold_is_drift(
    reference: pd.DataFrame, traffic: list[Row]
) -> None:
    verdict = verdicts_of(reference, table_of(with_negative_share(traffic, 0.8, size=400)))[
        "prediction_drift"
    ]
    assert [drift.feature.name for drift in verdict.drifted_features] == ["sentiment"]
    assert verdict.features[0].strength > SINGLE_FEATURE_FACTOR
    assert verdict.score == 0.5
    assert verdict.drifted

    milder = verdicts_of(reference, table_of(with_negative_share(traffic, 0.65, size=400)))[
        "prediction_drift"
    ]
    assert 1 < milder.features[0].strength < SINGLE_FEATURE_FACTOR
    assert not milder.drifted


def test_predictions_can_drift_while_inputs_do_not(reference: pd.DataFrame, traffic: list[Row]) -> None:
    current = table_of(traffic[:500]).assign(confidence=0.55, entropy=0.99)
    verdicts = verdicts_of(reference, current)
    assert not verdicts["data_drift"].drifted_features
    assert {drift.feature.name for drift in verdicts["prediction_drift"].drifted_features} == {
        "confidence",
        "entropy",
    }
    assert verdicts["prediction_drift"].drifted
    assert drift_score(tuple(verdicts.values())) == pytest.approx(1 / 5), (
        "both belong to the aspect certainty"
    )


@pytest.mark.parametrize(
    ("lacking", "left_out"),
    [
        ("text", {"words", "language", "text"}),
        ("novelty", {"novelty"}),
        ("unknown_tokens", {"unknown_pieces"}),
    ],
)
def test_a_column_that_one_row_lacks_is_not_compared(
    reference: pd.DataFrame, traffic: list[Row], lacking: str, left_out: set[str]
) -> None:
    current = table_of([traffic[0] | {lacking: None}, *traffic[1:300]])
    compared = shared_features(*add_domain_scores(reference, current))
    assert {feature.name for feature in FEATURES} - {feature.name for feature in compared} == left_out


def test_features_of_one_aspect_share_a_vote(reference: pd.DataFrame) -> None:
    longer = reference.assign(**{name: reference[name] * 1.17 for name in ("characters", "words", "tokens")})
    verdict = verdicts_of(reference, longer)["data_drift"]
    assert {drift.feature.name for drift in verdict.drifted_features} == {"characters", "words", "tokens"}
    assert verdict.score == pytest.approx(1 / 3), "length, not language or content"
    assert not verdict.drifted


def test_new_unknown_pieces_are_drift_and_one_odd_text_is_not(
    reference: pd.DataFrame, traffic: list[Row]
) -> None:
    def drifted(odd: int) -> bool:
        rows = [row | {"unknown_tokens": row["tokens"] // 4} for row in traffic[:odd]]
        verdict = verdicts_of(reference, table_of(rows + traffic[odd:500]))["data_drift"]
        return "unknown_pieces" in {drift.feature.name for drift in verdict.drifted_features}

    assert [drifted(odd) for odd in (1, 100)] == [False, True]


def test_small_windows_get_higher_thresholds_and_large_ones_the_floor(
    reference: pd.DataFrame,
) -> None:
    small, again, large = (
        calibrate(reference, FEATURES, rows=rows, false_alarm_rate=0.01) for rows in (100, 100, 4000)
    )
    assert small == again, "the same reference and size give the same thresholds"
    assert {feature.name: threshold for feature, threshold in small.items()}["characters"] > 0.2
    assert large == FLOOR
    assert all(small[feature] >= large[feature] for feature in FEATURES)


def test_real_windows_without_a_shift_raise_no_more_false_alarms_than_stated(
    reference: pd.DataFrame, traffic: list[Row]
) -> None:
    """200 windows of real reviews that are not in the reference; the stated rate allows 2 on average.

    Only features calibrated by bootstrap; test_simulation replays windows with their texts.
    """
    bootstrapped = [feature for feature in FEATURES if feature.kind != "text"]
    thresholds = calibrate(reference, bootstrapped, rows=300, false_alarm_rate=0.01)
    random = np.random.default_rng(3)
    windows = (
        table_of([traffic[i] for i in random.choice(len(traffic), 300, replace=False)]) for _ in range(200)
    )
    verdicts = (compare(reference, window, thresholds, drift_threshold=0.5) for window in windows)
    false_alarms = sum(any(verdict.drifted_features for verdict in pair) for pair in verdicts)
    assert false_alarms <= 4


def test_the_report_shows_the_same_effects_and_verdicts(reference: pd.DataFrame, traffic: list[Row]) -> None:
    current = table_of(cut(traffic[:300], words=60))
    page = render(*add_domain_scores(reference, current), FLOOR, verdicts={"data drift": "drift: 2 of 3"})
    assert "drift: 2 of 3" in page
    assert "Dataset Drift" not in page, "Evidently's own verdict follows another rule"
    shown = re.findall(r'"data_drift": "(Not Detected|Detected)", "drift_score": ([0-9.e-]+)', page)
    assert not any(" ".join(row["text"].split()[:8]) in page for row in traffic[:300])
    drifts = [drift for verdict in verdicts_of(reference, current).values() for drift in verdict.features]
    assert sorted((float(score), verdict) for verdict, score in shown) == [
        (pytest.approx(drift.effect, abs=1e-6), "Detected" if drift.strength > 1 else "Not Detected")
        for drift in sorted(drifts, key=lambda drift: drift.effect)
    ]


def test_the_self_check_passes_with_calibrated_thresholds(reference: pd.DataFrame) -> None:
    thresholds = calibrate(reference, FEATURES, rows=200, false_alarm_rate=0.01)
    check_detection(reference, thresholds, rows=200, drift_threshold=0.5)


@pytest.mark.parametrize(
    ("factor", "drift_threshold", "message"),
    [
        (
            1000,
            0.5,
            "no data drift and no prediction drift was detected in a sample with every feature shifted",
        ),
        (1, -0.1, "data drift and prediction drift was detected in the reference itself"),
    ],
)
def test_the_self_check_fails_on_missed_drift_and_on_false_alarms(
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
def test_the_self_check_shifts_every_feature_of_any_reference(
    reference: pd.DataFrame, changes: dict[str, Any]
) -> None:
    odd = reference.assign(**changes)
    for verdict in verdicts_of(odd, shifted(odd)).values():
        assert len(verdict.drifted_features) == len(verdict.features)
