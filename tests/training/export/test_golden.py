"""The golden reviews: decisions that rounding on another processor cannot flip, from hard to easy."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.rows import Rows
from training.export.golden import GOLDEN_REVIEWS, NOISE_FLOOR, choose_golden, write_golden


def table(positive_log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    positive = 1 / (1 + np.exp(-positive_log_odds))
    return np.stack([1 - positive, positive], axis=1)


def spread(rows: int = 400, noise: float = 0.05) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Log-odds from -4 to 4, and what int8 makes of them: each row moved by at most `noise`."""
    fp32 = np.linspace(-4, 4, rows)
    return fp32, fp32 + noise * np.sin(np.arange(rows))


def test_the_choice_is_deterministic_and_has_at_most_count_rows() -> None:
    fp32, int8 = map(table, spread())
    chosen = choose_golden(fp32, int8)
    assert chosen == choose_golden(fp32.copy(), int8.copy())
    assert len(chosen) == len(set(chosen)) == GOLDEN_REVIEWS


def test_the_hardest_and_the_easiest_of_each_label_are_among_them() -> None:
    fp32, int8 = spread()
    chosen = int8[choose_golden(table(fp32), table(int8))]
    for label in (chosen[chosen > 0], -chosen[chosen < 0]):
        assert len(label) == GOLDEN_REVIEWS // 2
        assert label.min() < NOISE_FLOOR + 0.05
        assert label.max() > 3.9
        assert np.diff(np.sort(label)).max() < 0.5, "a gap in the middle"


def test_no_review_is_within_the_noise_of_the_boundary() -> None:
    fp32, int8 = spread(noise=0.8)
    chosen = choose_golden(table(fp32), table(int8))
    assert len(chosen) == GOLDEN_REVIEWS
    assert np.abs(fp32[chosen]).min() > 0.75
    assert np.abs(int8[chosen]).min() > 0.75


def test_reviews_that_the_two_graphs_decide_differently_do_not_qualify() -> None:
    fp32, int8 = spread()
    int8[0] = 3.0  # one wild row among 400 does not move the percentile
    assert 0 not in choose_golden(table(fp32), table(int8), count=400)


def test_the_unused_share_of_a_rare_label_goes_to_the_others() -> None:
    log_odds = np.array([-2.0, -3.0, *np.linspace(1, 4, 100)])
    chosen = choose_golden(table(log_odds), table(log_odds))
    assert {0, 1} < set(chosen)
    assert len(chosen) == GOLDEN_REVIEWS


def test_more_than_two_labels_get_equal_shares() -> None:
    scores = np.random.default_rng(0).normal(size=(300, 3)) * 2
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    chosen = choose_golden(probabilities, probabilities, count=30)
    assert np.bincount(probabilities[chosen].argmax(axis=1)).tolist() == [10, 10, 10]


def test_the_file_holds_texts_true_labels_and_both_decisions(tmp_path: Path) -> None:
    rows = Rows(["dull", "süß 🎬"], [0, 0])
    fp32, int8 = table(np.array([-2.0, 2.0])), table(np.array([-2.1, 1.9]))
    write_golden(tmp_path / "golden.json", rows, ["negative", "positive"], fp32, int8, chosen=[0, 1])
    dull, sweet = json.loads((tmp_path / "golden.json").read_text())["reviews"]
    assert dull["text"] == "dull"
    assert dull["fp32"] == {"sentiment": "negative", "confidence": 0.880797}
    assert sweet == {
        "text": "süß 🎬",
        "label": "negative",
        "fp32": {"sentiment": "positive", "confidence": 0.880797},
        "int8": {"sentiment": "positive", "confidence": 0.869892},
    }


def test_nothing_is_written_when_every_decision_is_too_close_to_call(tmp_path: Path) -> None:
    near = table(np.array([0.01, -0.02]))
    chosen = choose_golden(near, near)
    write_golden(tmp_path / "golden.json", Rows(["a", "b"], [0, 1]), ["n", "p"], near, near, chosen)
    assert list(tmp_path.iterdir()) == []
