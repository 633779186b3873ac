"""How accuracy is estimated without labels, measured with them, and judged."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from functions.drift_monitor.detection import performance
from functions.drift_monitor.detection.performance import (
    Bools,
    Calibration,
    Floats,
    Performance,
    disagreement,
    estimate_accuracy,
    judge_performance,
)


def answers(count: int, seed: int, *, overconfident: float = 1.0) -> tuple[Floats, Bools]:
    """Return confidences of two labels, and whether they were right: as often as confidence says, or less."""
    random = np.random.default_rng(seed)
    logits = np.abs(random.normal(2.0, 1.5, size=count))
    confidence = 1 / (1 + np.exp(-overconfident * logits))
    return confidence, random.random(count) < 1 / (1 + np.exp(-logits))


NONE = (np.array([]), np.array([], dtype=bool))
REFERENCE = answers(1000, seed=1, overconfident=2.0)


def judge(window: Floats, labelled: tuple[Floats, Bools] = NONE) -> Performance:
    return judge_performance(REFERENCE, window, labelled, minimum_labels=50, margin=0.05)


def test_calibration_undoes_overconfidence() -> None:
    confidence, right = answers(20_000, seed=2, overconfident=2.0)
    calibration = Calibration(confidence, right)
    assert calibration.slope == pytest.approx(0.5, abs=0.05)
    assert confidence.mean() > right.mean() + 0.04
    assert calibration(confidence).mean() == pytest.approx(right.mean(), abs=0.002)


def test_the_fit_is_that_of_a_logistic_regression() -> None:
    confidence, right = answers(5000, seed=3)
    odds = np.log(confidence / (1 - confidence))[:, None]
    peer = LogisticRegression(C=np.inf).fit(odds, right)
    ours = Calibration(confidence, right)
    assert (ours.slope, ours.intercept) == pytest.approx((peer.coef_[0, 0], peer.intercept_[0]), abs=0.01)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    covered = 0
    for seed in range(50):
        known = answers(1000, seed=seed, overconfident=1.5)
        window, truth = answers(500, seed=1000 + seed, overconfident=1.5)
        estimate = estimate_accuracy(*known, window)
        assert estimate.low <= estimate.accuracy <= estimate.high
        covered += estimate.low <= truth.mean() <= estimate.high
    assert 43 <= covered <= 50


def test_harder_texts_lower_the_estimate() -> None:
    confidence, right = answers(5000, seed=4, overconfident=2.0)
    hard = confidence < 0.9
    estimate = estimate_accuracy(*REFERENCE, confidence[hard])
    assert estimate.accuracy == pytest.approx(right[hard].mean(), abs=0.04)
    assert judge(confidence[hard]).drifted


def test_calm_traffic_is_not_below_the_reference() -> None:
    verdict = judge(answers(500, seed=5, overconfident=2.0)[0])
    assert not verdict.drifted
    assert verdict.figures()["decided_by"] == "estimate"
    assert verdict.figures()["labelled"] is None


def test_enough_labels_decide_and_the_estimate_stands_beside_them() -> None:
    confidence, right = answers(200, seed=6, overconfident=2.0)
    mislabelled = right & (np.arange(200) % 3 > 0)
    verdict = judge(confidence, (confidence, mislabelled))
    assert verdict.drifted and verdict.labelled is not None
    assert verdict.evidence is verdict.labelled
    assert verdict.labelled.low < verdict.labelled.accuracy < verdict.labelled.high < verdict.estimate.low
    assert verdict.figures()["labelled"]["rows"] == 200


def test_good_labels_clear_a_low_estimate() -> None:
    confidence, _ = answers(5000, seed=4, overconfident=2.0)
    hard = confidence[confidence < 0.9]
    assert judge(hard).drifted
    assert not judge(hard, (hard[:200], np.ones(200, dtype=bool))).drifted


def test_too_few_labels_decide_nothing() -> None:
    confidence, _ = answers(500, seed=7, overconfident=2.0)
    verdict = judge(confidence, (confidence[:49], np.zeros(49, dtype=bool)))
    assert (verdict.drifted, verdict.labelled, verdict.labels) == (False, None, 49)
    assert disagreement(verdict, false_alarm_rate=0.01) is None


def test_labels_on_hard_texts_disagree_only_when_they_are_worse_than_expected() -> None:
    confidence, right = answers(5000, seed=8, overconfident=2.0)
    hard = confidence < 0.8
    labelled = confidence[hard][:300], right[hard][:300]
    as_expected = disagreement(judge(confidence, labelled), false_alarm_rate=0.01)
    assert as_expected is not None and as_expected.strength < 1, "hard texts are no concept drift"

    turned = disagreement(judge(confidence, (labelled[0], ~labelled[1])), false_alarm_rate=0.01)
    assert turned is not None and turned.strength > 1
    assert turned.figures()["feature"] == "disagreement"


def test_a_model_that_is_always_right_needs_no_margin() -> None:
    sure = (np.full(2000, 0.9999), np.ones(2000, dtype=bool))
    for right in (50, 49):
        labelled = (np.full(50, 0.9999), np.arange(50) < right)
        verdict = judge_performance(sure, sure[0], labelled, minimum_labels=50, margin=0.0)
        found = disagreement(verdict, false_alarm_rate=0.005)
        assert found is not None
        assert found.strength <= 1
    assert found.threshold == 1 / 50


def test_labels_that_confidence_expects_seldom_disagree_by_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(performance, "ROUNDS", 1)  # the estimate's interval is not asked for
    alarms = 0
    for seed in range(300):
        labelled = answers(60, seed=seed, overconfident=2.0)
        found = disagreement(judge(labelled[0], labelled), false_alarm_rate=0.01)
        alarms += found is not None and found.strength > 1
    assert alarms <= 10


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=2, max_size=40),
    st.lists(st.floats(0, 1), min_size=1, max_size=40),
)
def test_any_reference_gives_an_accuracy(known: list[tuple[float, bool]], window: list[float]) -> None:
    confidence, right = (np.array(column) for column in zip(*known, strict=True))
    estimate = estimate_accuracy(confidence, right, np.array(window))
    assert 0 <= estimate.low <= estimate.high <= 1
    assert 0 <= estimate.accuracy <= 1
