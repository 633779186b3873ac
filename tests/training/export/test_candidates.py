"""Quantized candidates are tried from the fastest on, until one loses as little as the gate allows."""

from pathlib import Path

import numpy as np
import pytest

from tests.training.export.linear_graph import linear_graph
from training.export.candidates import Candidate, Gate, ValidationScores, by_preference, choose
from training.export.graph import QUANTIZATIONS
from training.export.scorer import TokenizedRows
from training.progress import silent


def candidate(position: int, *, latency_ms: float = 10, size_mb: float = 20) -> Candidate:
    return Candidate(QUANTIZATIONS[position], Path("x"), latency_ms, size_mb)


@pytest.mark.parametrize(
    ("candidates", "expected"),
    [
        ([candidate(0), candidate(1, latency_ms=8)], [1, 0]),  # the fastest
        ([candidate(1), candidate(0, latency_ms=10.4)], [0, 1]),  # equally fast: the one exact without VNNI
        ([candidate(2, size_mb=60), candidate(0)], [0, 2]),  # equally fast and safe: the smaller
        # Once the fastest has failed, the next ones are compared among themselves.
        ([candidate(1, latency_ms=5), candidate(3, latency_ms=10), candidate(0, latency_ms=10.4)], [1, 0, 3]),
    ],
)
def test_candidates_are_tried_from_the_fastest_on(candidates: list[Candidate], expected: list[int]) -> None:
    assert [one.quantization for one in by_preference(candidates)] == [QUANTIZATIONS[one] for one in expected]


def test_loss_and_flips_exactly_at_the_limit_pass() -> None:
    logits = np.zeros((1, 2), np.float32)
    assert ValidationScores(0.9, accuracy_loss=0.905 - 0.9, flipped=0.02, logits=logits).passes(Gate())
    assert not ValidationScores(0.9, accuracy_loss=0.006, flipped=0.0, logits=logits).passes(Gate())
    assert not ValidationScores(0.9, accuracy_loss=0.0, flipped=0.021, logits=logits).passes(Gate())


def test_a_candidate_that_fails_the_gate_gives_way_to_the_next(tmp_path: Path) -> None:
    right, wrong = [-1.0, 1.0], [1.0, -1.0]
    candidates = [
        Candidate(QUANTIZATIONS[2], linear_graph(tmp_path / "right", right), latency_ms=7, size_mb=20),
        Candidate(QUANTIZATIONS[1], linear_graph(tmp_path / "wrong", wrong), latency_ms=5, size_mb=20),
        Candidate(QUANTIZATIONS[0], linear_graph(tmp_path / "not_needed", right), latency_ms=9, size_mb=20),
    ]
    texts = TokenizedRows([[3, 4], [-3, -4]], [[3, 4], [-3, -4]])
    fp32 = np.array([[-7.0, 7.0], [7.0, -7.0]])
    choice = choose(candidates, Gate(), fp32, texts, np.array([1, 0]), silent)
    assert choice.candidate == candidates[0]
    assert choice.scores.accuracy == 1
    assert [entry["passed"] for entry in choice.card_entries] == [True, False, None]
    assert [entry["flipped"] for entry in choice.card_entries] == [0, 1, None]
