"""The quantized candidates of an export: measured on validation rows, and the fastest that is good enough.

`training.export.graph` builds their graphs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.errors import GateError
from training.export.graph import QUANTIZATIONS, Quantization, quantize
from training.export.scorer import Scorer, TokenizedRows, time_scorers
from training.export.wide import WideModel, add_wide
from training.progress import Progress

# Candidates this close to the fastest count as equally fast; then the safest and smallest is chosen.
LATENCY_TIE = 1.05
_TIMED_TOKENS = 128


@dataclass(frozen=True)
class Gate:
    """The maximum loss of a quantized model against fp32 on the same validation rows, as fractions."""

    max_accuracy_loss: float = 0.005
    max_flipped: float = 0.02


@dataclass(frozen=True)
class Candidate:
    """One quantized graph with its latency and size."""

    quantization: Quantization
    path: Path
    latency_ms: float  # median of one text of 128 tokens on one thread
    size_mb: float


@dataclass(frozen=True)
class ValidationScores:
    """What a candidate loses against fp32 on the validation rows, and its outputs there."""

    accuracy: float
    accuracy_loss: float
    flipped: float
    logits: NDArray[np.float32] = field(repr=False, compare=False)  # (rows, labels)
    pooled: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)  # (rows, width)

    def passes(self, gate: Gate) -> bool:
        """Return whether this candidate passes the gate."""
        # Both sides are multiples of 1/rows, so the tolerance only absorbs floating-point noise.
        return self.accuracy_loss <= gate.max_accuracy_loss + 1e-9 and self.flipped <= gate.max_flipped + 1e-9


@dataclass(frozen=True)
class Choice:
    """The first candidate that passes the gate, and what the model card says about all of them."""

    candidate: Candidate
    scores: ValidationScores
    card_entries: list[dict[str, Any]]


def quantize_candidates(fused: Path, wide: WideModel | None, folder: Path) -> list[Candidate]:
    """Quantize the deep part in every way, add the wide one, and time the graphs."""
    graphs = []
    for option in QUANTIZATIONS:
        graph = quantize(fused, folder / f"{option.name}.onnx", option)
        graphs.append(add_wide(graph, graph, *wide) if wide else graph)
    latencies = time_scorers([Scorer(graph) for graph in graphs], _TIMED_TOKENS)
    return [
        Candidate(option, graph, latency_ms, graph.stat().st_size / 1e6)
        for option, graph, latency_ms in zip(QUANTIZATIONS, graphs, latencies, strict=True)
    ]


def by_preference(candidates: Sequence[Candidate]) -> Iterator[Candidate]:
    """Yield the candidates from the fastest on.

    Among equally fast ones reduced range comes first, because it is exact on processors without VNNI too, and
    the function may run on another processor than the export; then the smaller file.
    """
    left = list(candidates)
    while left:
        fastest = min(candidate.latency_ms for candidate in left)
        ties = [candidate for candidate in left if candidate.latency_ms <= fastest * LATENCY_TIE]
        best = min(ties, key=lambda one: (not one.quantization.reduce_range, one.size_mb))
        left.remove(best)
        yield best


def choose(
    candidates: Sequence[Candidate],
    gate: Gate,
    fp32_logits: NDArray[np.floating[Any]],
    texts: TokenizedRows,
    truth: NDArray[np.int64],
    progress: Progress,
) -> Choice:
    """Return the first candidate in the order of preference that passes the gate on the validation rows.

    Those after it are not scored. Raises GateError with all losses if none passes.
    """
    fp32_accuracy = float((fp32_logits.argmax(axis=1) == truth).mean())
    scored: dict[str, ValidationScores] = {}
    for candidate in by_preference(candidates):
        name = candidate.quantization.name
        report = partial(progress, f"Scoring {name} on validation rows", total=len(truth))
        report()
        logits, pooled = Scorer(candidate.path).scores(*texts, report)
        accuracy = float((logits.argmax(axis=1) == truth).mean())
        loss, changed = fp32_accuracy - accuracy, flipped(fp32_logits, logits)
        scored[name] = ValidationScores(accuracy, loss, changed, logits, pooled)
        if scored[name].passes(gate):
            entries = [_card_entry(one, scored.get(one.quantization.name), gate) for one in candidates]
            return Choice(candidate, scored[name], entries)
    losses = "; ".join(
        f"{name} loses {100 * one.accuracy_loss:.2f} points and flips {100 * one.flipped:.2f}%"
        for name, one in scored.items()
    )
    raise GateError(
        f"no quantized model is within {100 * gate.max_accuracy_loss:g} points of fp32 with at most "
        f"{100 * gate.max_flipped:g}% of decisions flipped: {losses}. Nothing was published; train "
        "longer or on more rows, so that fewer decisions are close"
    )


def flipped(one: NDArray[np.floating[Any]], other: NDArray[np.floating[Any]]) -> float:
    """Return the share of rows on which two (rows, labels) score tables differ in their decision."""
    return float((one.argmax(axis=1) != other.argmax(axis=1)).mean())


def _card_entry(candidate: Candidate, scores: ValidationScores | None, gate: Gate) -> dict[str, Any]:
    """Return the entry of a candidate in the model card; without scores if another one was chosen before."""
    return {
        "name": candidate.quantization.name,
        "accuracy": scores and scores.accuracy,
        "accuracy_loss": scores and scores.accuracy_loss,
        "flipped": scores and scores.flipped,
        "latency_ms": round(candidate.latency_ms, 3),
        "size_mb": round(candidate.size_mb, 2),
        "passed": scores and scores.passes(gate),
    }
