"""The quantized candidates of an export: measured on validation rows, and the fastest that is good enough.

`training.export.graph` builds their graphs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
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
    """One quantized graph with its latency, size and loss on the validation rows."""

    quantization: Quantization
    path: Path
    accuracy: float
    accuracy_loss: float
    flipped: float
    latency_ms: float  # median of one text of 128 tokens on one thread
    size_mb: float
    logits: NDArray[np.float32] = field(repr=False, compare=False)  # (rows, labels)
    pooled: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)  # (rows, width)

    def passes(self, gate: Gate) -> bool:
        """Return whether this candidate passes the gate."""
        # Both sides are multiples of 1/rows, so the tolerance only absorbs floating-point noise.
        return self.accuracy_loss <= gate.max_accuracy_loss + 1e-9 and self.flipped <= gate.max_flipped + 1e-9


def choose(candidates: Sequence[Candidate], gate: Gate) -> Candidate:
    """Return the fastest candidate that passes the gate; raise GateError with all metrics if none does.

    Among equally fast ones reduced range wins, because it is exact on processors without VNNI too, and the
    function may run on another processor than the export; then the smaller file.
    """
    passing = [candidate for candidate in candidates if candidate.passes(gate)]
    if not passing:
        losses = "; ".join(
            f"{c.quantization.name} loses {100 * c.accuracy_loss:.2f} points and flips {100 * c.flipped:.2f}%"
            for c in candidates
        )
        raise GateError(
            f"no quantized model is within {100 * gate.max_accuracy_loss:g} points of fp32 with at most "
            f"{100 * gate.max_flipped:g}% of decisions flipped: {losses}. Nothing was published; train "
            "longer or on more rows, so that fewer decisions are close"
        )
    fastest = min(candidate.latency_ms for candidate in passing)
    ties = [candidate for candidate in passing if candidate.latency_ms <= fastest * LATENCY_TIE]
    return min(ties, key=lambda c: (not c.quantization.reduce_range, c.size_mb, c.flipped))


def flipped(one: NDArray[np.floating[Any]], other: NDArray[np.floating[Any]]) -> float:
    """Return the share of rows on which two (rows, labels) score tables differ in their decision."""
    return float((one.argmax(axis=1) != other.argmax(axis=1)).mean())


def measure_candidates(
    fused: Path,
    wide: WideModel | None,
    fp32_logits: NDArray[np.floating[Any]],
    texts: TokenizedRows,
    truth: NDArray[np.int64],
    folder: Path,
    progress: Progress,
) -> list[Candidate]:
    """Quantize the deep part in every way, add the wide one, and compare with fp32 on the same rows."""
    fp32_accuracy = float((fp32_logits.argmax(axis=1) == truth).mean())
    graphs = []
    for option in QUANTIZATIONS:
        graph = quantize(fused, folder / f"{option.name}.onnx", option)
        graphs.append(add_wide(graph, graph, *wide) if wide else graph)
    scorers = [Scorer(graph) for graph in graphs]
    candidates = []
    for option, graph, scorer, latency_ms in zip(
        QUANTIZATIONS, graphs, scorers, time_scorers(scorers, _TIMED_TOKENS), strict=True
    ):
        progress(f"Scoring {option.name} on {len(truth):,} validation rows")
        logits, pooled = scorer.scores(*texts)
        accuracy = float((logits.argmax(axis=1) == truth).mean())
        candidates.append(
            Candidate(
                quantization=option,
                path=graph,
                accuracy=accuracy,
                accuracy_loss=fp32_accuracy - accuracy,
                flipped=flipped(fp32_logits, logits),
                latency_ms=latency_ms,
                size_mb=graph.stat().st_size / 1e6,
                logits=logits,
                pooled=pooled,
            )
        )
    return candidates


def card_entry(candidate: Candidate, gate: Gate) -> dict[str, Any]:
    """Return the entry of a candidate in the model card."""
    return {
        "name": candidate.quantization.name,
        "accuracy": candidate.accuracy,
        "accuracy_loss": candidate.accuracy_loss,
        "flipped": candidate.flipped,
        "latency_ms": round(candidate.latency_ms, 3),
        "size_mb": round(candidate.size_mb, 2),
        "passed": candidate.passes(gate),
    }
