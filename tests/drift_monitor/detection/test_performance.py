"""Accuracy estimated without labels, measured with labels, and the verdict on it."""

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
    evaluate_performance,
)


def predictions(count: int, seed: int, *, overconfident: float = 1.0) -> tuple[Floats, Bools]:
    """Return confidences, and whether predictions were correct: as often as confidence says, or less."""
    random = np.random.default_rng(seed)
    logits = np.abs(random.normal(2.0, 1.5, size=count))
    confidence = 1 / (1 + np.exp(-overconfident * logits))
    return confidence, random.random(count) < 1 / (1 + np.exp(-logits))


NONE = (np.array([]), np.array([], dtype=bool))
REFERENCE = predictions(1000, seed=1, overconfident=2.0)


def evaluate(window: Floats, labeled: tuple[Floats, Bools] = NONE) -> Performance:
    return evaluate_performance(REFERENCE, window, labeled, minimum_labels=50, margin=0.05)


def test_calibration_undoes_overconfidence() -> None:
    confidence, correct = predictions(20_000, seed=2, overconfident=2.0)
    calibration = Calibration(confidence, correct)
    assert calibration.slope == pytest.approx(0.5, abs=0.05)
    assert confidence.mean() > correct.mean() + 0.04
    assert calibration(confidence).mean() == pytest.approx(correct.mean(), abs=0.002)


def test_the_fit_equals_a_logistic_regression() -> None:
    confidence, correct = predictions(5000, seed=3)
    odds = np.log(confidence / (1 - confidence))[:, None]
    expected = LogisticRegression(C=np.inf).fit(odds, correct)
    ours = Calibration(confidence, correct)
    assert (ours.slope, ours.intercept) == pytest.approx(
        (expected.coef_[0, 0], expected.intercept_[0]), abs=0.01
    )


def test_the_interval_covers_the_truth_as_often_as_stated() -> None:
    covered = 0
    for seed in range(50):
        known = predictions(1000, seed=seed, overconfident=1.5)
        window, truth = predictions(500, seed=1000 + seed, overconfident=1.5)
        estimate = estimate_accuracy(*known, window)
        assert estimate.low <= estimate.accuracy <= estimate.high
        covered += estimate.low <= truth.mean() <= estimate.high
    assert 43 <= covered <= 50


def test_harder_texts_lower_the_estimate() -> None:
    confidence, correct = predictions(5000, seed=4, overconfident=2.0)
    hard = confidence < 0.9
    estimate = estimate_accuracy(*REFERENCE, confidence[hard])
    assert estimate.accuracy == pytest.approx(correct[hard].mean(), abs=0.04)
    assert evaluate(confidence[hard]).drifted


def test_traffic_like_the_reference_is_not_below_it() -> None:
    verdict = evaluate(predictions(500, seed=5, overconfident=2.0)[0])
    assert not verdict.drifted
    assert verdict.as_dict()["decided_by"] == "estimate"
    assert verdict.as_dict()["labeled"] is None


def test_enough_labels_decide_and_the_estimate_is_kept() -> None:
    confidence, correct = predictions(200, seed=6, overconfident=2.0)
    mislabeled = correct & (np.arange(200) % 3 > 0)
    verdict = evaluate(confidence, (confidence, mislabeled))
    assert verdict.drifted and verdict.labeled is not None
    assert verdict.deciding is verdict.labeled
    assert verdict.labeled.low < verdict.labeled.accuracy < verdict.labeled.high < verdict.estimate.low
    assert verdict.as_dict()["labeled"]["rows"] == 200


def test_good_labels_overrule_a_low_estimate() -> None:
    confidence, _ = predictions(5000, seed=4, overconfident=2.0)
    hard = confidence[confidence < 0.9]
    assert evaluate(hard).drifted
    assert not evaluate(hard, (hard[:200], np.ones(200, dtype=bool))).drifted


def test_too_few_labels_decide_nothing() -> None:
    confidence, _ = predictions(500, seed=7, overconfident=2.0)
    verdict = evaluate(confidence, (confidence[:49], np.zeros(49, dtype=bool)))
    assert (verdict.drifted, verdict.labeled, verdict.labels) == (False, None, 49)
    assert disagreement(verdict, false_alarm_rate=0.01) is None


def test_labels_on_hard_texts_disagree_only_if_accuracy_is_below_expectation() -> None:
    confidence, correct = predictions(5000, seed=8, overconfident=2.0)
    hard = confidence < 0.8
    labeled = confidence[hard][:300], correct[hard][:300]
    as_expected = disagreement(evaluate(confidence, labeled), false_alarm_rate=0.01)
    assert as_expected is not None and as_expected.strength < 1, "hard texts are not concept drift"

    turned = disagreement(evaluate(confidence, (labeled[0], ~labeled[1])), false_alarm_rate=0.01)
    assert turned is not None and turned.strength > 1
    assert turned.as_dict()["feature"] == "disagreement"


def test_a_model_that_is_always_correct_needs_no_margin() -> None:
    sure = (np.full(2000, 0.9999), np.ones(2000, dtype=bool))
    for correct in (50, 49):
        labeled = (np.full(50, 0.9999), np.arange(50) < correct)
        verdict = evaluate_performance(sure, sure[0], labeled, minimum_labels=50, margin=0.0)
        found = disagreement(verdict, false_alarm_rate=0.005)
        assert found is not None
        assert found.strength <= 1
    assert found.threshold == 1 / 50


def test_labels_rarely_disagree_by_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(performance, "BOOTSTRAP_ROUNDS", 1)  # the estimate's interval is not used
    alarms = 0
    for seed in range(300):
        labeled = predictions(60, seed=seed, overconfident=2.0)
        found = disagreement(evaluate(labeled[0], labeled), false_alarm_rate=0.01)
        alarms += found is not None and found.strength > 1
    assert alarms <= 10


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=2, max_size=40),
    st.lists(st.floats(0, 1), min_size=1, max_size=40),
)
def test_any_reference_gives_an_accuracy(known: list[tuple[float, bool]], window: list[float]) -> None:
    confidence, correct = (np.array(column) for column in zip(*known, strict=True))
    estimate = estimate_accuracy(confidence, correct, np.array(window))
    assert 0 <= estimate.low <= estimate.high <= 1
    assert 0 <= estimate.accuracy <= 1
