"""Publish a checkpoint as an artifact for serving, if a quantized candidate is good enough.

Candidates are compared on validation rows; test rows are only used to report the chosen one.
`training.export.graph` builds the candidates, and `training.export.artifact` writes the artifact.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import AutoConfig

from training.calibration import calibration_error, fit_temperature, reliability, softmax
from training.data.rows import Rows
from training.errors import GateError
from training.export.artifact import Artifact, publishing, write_reference
from training.export.golden import GOLDEN_FILE, choose_golden, write_golden
from training.export.graph import OPSET, QUANTIZATIONS, Quantization, export_graph, quantize
from training.export.novelty import fit_novelty
from training.export.scorer import Scorer, time_scorers
from training.metrics import classification_metrics, confusion
from training.text import CLEANING, Truncation, encode_batch

CARD_SCHEMA_VERSION = 1
# Candidates this close to the fastest count as equally fast; then the safest and smallest is chosen.
LATENCY_TIE = 1.05
_TIMED_TOKENS = 128

Progress = Callable[[str], None]


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


def build_artifact(
    checkpoint: Path,
    validation: Rows,
    test: Rows,
    *,
    max_length: int,
    truncation: Truncation,
    labels: list[str],
    artifacts: Path,
    card_fields: dict[str, Any],
    progress: Progress | None = None,
    gate: Gate | None = None,
) -> Artifact:
    """Export, quantize, choose and publish as `artifacts/models/<version>`.

    Raises GateError, without changing anything, when no candidate passes the gate on the validation rows.
    `card_fields` are added to the card (data, training, run id).
    """
    report = progress or (lambda _: None)
    gate = gate or Gate()
    tokenizer = Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    validation_ids = encode_batch(tokenizer, validation.texts, max_length, truncation)
    test_ids = encode_batch(tokenizer, test.texts, max_length, truncation)
    with tempfile.TemporaryDirectory(prefix="export-") as scratch:
        report("Exporting the graph")
        fused = export_graph(checkpoint, Path(scratch))
        report(f"Scoring fp32 on {len(validation) + len(test):,} rows")
        fp32 = Scorer(fused)
        fp32_logits = fp32.scores(test_ids).logits
        candidates = _measure_candidates(fused, fp32, validation_ids, validation, Path(scratch), report)
        chosen = choose(candidates, gate)
        report(f"Scoring {chosen.quantization.name} on {len(test):,} test rows")
        int8_logits, pooled_test = Scorer(chosen.path).scores(test_ids)
        calibration = _calibrate(chosen, validation)
        fp32_test, int8_test = (
            softmax(logits, calibration["temperature"]) for logits in (fp32_logits, int8_logits)
        )
        novelty = fit_novelty(chosen.pooled, np.array(validation.labels), labels)
        novelties = None if novelty is None or pooled_test is None else novelty.of(pooled_test)
        truth = np.array(test.labels)
        card = {
            "schema_version": CARD_SCHEMA_VERSION,
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "labels": labels,
            "max_length": max_length,
            "truncation": truncation,
            "text_cleaning": list(CLEANING),
            "architecture": _architecture(checkpoint),
            "metrics": {
                "split": "test",
                "rows": len(test),
                "fp32": classification_metrics(truth, fp32_test),
                "int8": classification_metrics(truth, int8_test),
                "flipped": flipped(fp32_test, int8_test),
                # Of int8: by label and prediction, in label order; by ascending confidence.
                "confusion": confusion(truth, int8_test).tolist(),
                "reliability": [asdict(one) for one in reliability(int8_test, truth)],
            },
            "export": {
                "opset": OPSET,
                "split": "validation",
                "rows": len(validation),
                "gate": asdict(gate),
                "chosen": chosen.quantization.name,
                "candidates": [_card_entry(candidate, gate) for candidate in candidates],
            },
            "calibration": calibration,
            **({"novelty": novelty.card_field()} if novelty else {}),
            **card_fields,
        }
        with publishing(artifacts, chosen.path, card) as folder:
            report("Writing the artifact")
            tokenizer.save(str(folder / "tokenizer.json"))
            write_reference(
                folder / "reference.parquet",
                test,
                tokenizer,
                max_length,
                labels,
                int8_test,
                novelties,
                fp32_test,
            )
            golden = choose_golden(softmax(fp32_logits), softmax(int8_logits))
            write_golden(folder / GOLDEN_FILE, test, labels, fp32_test, int8_test, golden)
    return Artifact(folder=artifacts / "models" / card["model_version"], card=card)


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


def _measure_candidates(
    fused: Path, fp32: Scorer, encoded: list[list[int]], rows: Rows, folder: Path, report: Progress
) -> list[Candidate]:
    truth = np.array(rows.labels)
    fp32_scores = fp32.scores(encoded).logits
    fp32_accuracy = float((fp32_scores.argmax(axis=1) == truth).mean())
    graphs = [quantize(fused, folder / f"{option.name}.onnx", option) for option in QUANTIZATIONS]
    scorers = [Scorer(graph) for graph in graphs]
    candidates = []
    for option, graph, scorer, latency_ms in zip(
        QUANTIZATIONS, graphs, scorers, time_scorers(scorers, _TIMED_TOKENS), strict=True
    ):
        report(f"Scoring {option.name} on {len(rows):,} validation rows")
        scores, pooled = scorer.scores(encoded)
        accuracy = float((scores.argmax(axis=1) == truth).mean())
        candidates.append(
            Candidate(
                quantization=option,
                path=graph,
                accuracy=accuracy,
                accuracy_loss=fp32_accuracy - accuracy,
                flipped=flipped(fp32_scores, scores),
                latency_ms=latency_ms,
                size_mb=graph.stat().st_size / 1e6,
                logits=scores,
                pooled=pooled,
            )
        )
    return candidates


def _calibrate(chosen: Candidate, rows: Rows) -> dict[str, Any]:
    """Fit the temperature of the served graph; return the field of the card."""
    truth = np.array(rows.labels)
    temperature = fit_temperature(chosen.logits, truth)
    before, after = (calibration_error(softmax(chosen.logits, t), truth) for t in (1.0, temperature))
    return {
        "temperature": temperature,
        "split": "validation",
        "rows": len(rows),
        "ece": {"before": before, "after": after},
    }


def _card_entry(candidate: Candidate, gate: Gate) -> dict[str, Any]:
    return {
        "name": candidate.quantization.name,
        "accuracy": candidate.accuracy,
        "accuracy_loss": candidate.accuracy_loss,
        "flipped": candidate.flipped,
        "latency_ms": round(candidate.latency_ms, 3),
        "size_mb": round(candidate.size_mb, 2),
        "passed": candidate.passes(gate),
    }


def _architecture(checkpoint: Path) -> dict[str, Any]:
    config = AutoConfig.from_pretrained(checkpoint)
    return {
        "family": config.model_type,
        "layers": config.num_hidden_layers,
        "width": config.hidden_size,
        "heads": config.num_attention_heads,
    }
