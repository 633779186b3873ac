"""Deep and wide logits are added as validation rows say: by trust in each part, with a bias per label."""

import numpy as np
import pytest

from training.wide.stacking import fit_stacking


def logits(truth: np.ndarray, strength: float, seed: int, labels: int = 2) -> np.ndarray:
    """Logits that speak for the label with `strength`, and noise of 1."""
    rng = np.random.default_rng(seed)
    return strength * np.eye(labels)[truth] + rng.normal(size=(len(truth), labels))


def accuracy(scores: np.ndarray, truth: np.ndarray) -> float:
    return float((scores.argmax(axis=1) == truth).mean())


@pytest.mark.parametrize("labels", [2, 4])
def test_both_together_are_better_than_each_alone(labels: int) -> None:
    truth = np.random.default_rng(0).integers(labels, size=4_000)
    deep, wide = logits(truth, 1.5, 1, labels), 0.1 * logits(truth, 2, 2, labels)
    stacking = fit_stacking(deep[:1_000], wide[:1_000], truth[:1_000])
    together = accuracy(stacking.logits(deep[1_000:], wide[1_000:]), truth[1_000:])
    assert together > accuracy(deep[1_000:], truth[1_000:]) + 0.02
    assert together > accuracy(wide[1_000:], truth[1_000:]) + 0.02


def test_a_part_that_knows_nothing_gets_no_weight() -> None:
    truth = np.random.default_rng(0).integers(2, size=3_000)
    noise = np.random.default_rng(1).normal(size=(3_000, 2))
    stacking = fit_stacking(noise, logits(truth, 2, 2), truth)
    assert stacking.deep_weight < 0.1
    assert stacking.wide_weight > 0.5


def test_a_part_that_is_wrong_is_ignored_and_not_inverted() -> None:
    truth = np.random.default_rng(0).integers(2, size=500)
    stacking = fit_stacking(logits(truth, 2, 1), logits(1 - truth, 1, 2), truth)
    assert stacking.wide_weight == 0


def test_the_bias_corrects_a_model_that_prefers_one_label() -> None:
    truth = np.random.default_rng(0).integers(2, size=2_000)
    deep = logits(truth, 1.5, 1) + np.array([2.0, 0.0])
    stacking = fit_stacking(deep, np.zeros_like(deep), truth)
    assert accuracy(deep, truth) < 0.75
    assert accuracy(stacking.logits(deep, np.zeros_like(deep)), truth) > 0.8
    assert stacking.bias.sum() == pytest.approx(0, abs=1e-6)


def test_a_few_rows_that_are_all_right_do_not_drive_the_weights_to_infinity() -> None:
    truth = np.array([0, 1] * 5)
    stacking = fit_stacking(5 * np.eye(2)[truth], 5 * np.eye(2)[truth], truth)
    assert 0 < stacking.deep_weight < 5
    assert 0 <= stacking.wide_weight < 5
