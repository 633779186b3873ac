"""Publish a checkpoint as an artifact for serving, if a quantized candidate is good enough.

Candidates are compared on validation rows; test rows are only used to report the chosen one.
`training.export.graph` builds the candidates, and `training.export.artifact` writes the artifact.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import AutoConfig

from training.calibration import calibration_error, fit_temperature, reliability, softmax
from training.data.rows import Rows
from training.export.artifact import Artifact, publishing, write_reference
from training.export.candidates import Gate, choose, flipped, quantize_candidates
from training.export.golden import GOLDEN_FILE, choose_golden, write_golden
from training.export.graph import OPSET, export_graph
from training.export.novelty import fit_novelty
from training.export.scorer import Scorer, tokenize_rows
from training.export.truncation import more_accurate, score_truncations, truncation_metrics
from training.export.wide import WideModel
from training.metrics import classification_metrics, confusion, paired_interval
from training.progress import Progress, silent
from training.text import CLEANING, Truncation, encode_whole
from training.wide.fit import fit_wide
from training.wide.stacking import fit_stacking

CARD_SCHEMA_VERSION = 1


def build_artifact(
    checkpoint: Path,
    validation: Rows,
    test: Rows,
    *,
    max_length: int,
    truncation: Truncation | None,
    labels: list[str],
    artifacts: Path,
    card_fields: dict[str, Any],
    wide_rows: Rows | None = None,
    progress: Progress = silent,
    gate: Gate | None = None,
) -> Artifact:
    """Export, quantize, choose and publish as `artifacts/models/<version>`.

    `truncation` None: the more accurate one on the validation rows. `wide_rows` are the rows to fit the wide
    part on; None: the model has no wide part. `card_fields` are added to the card (data, training, run id).
    Raises GateError, without changing anything, when no candidate passes the gate on the validation rows.
    """
    gate = gate or Gate()
    tokenizer = Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    known, truth = np.array(validation.labels), np.array(test.labels)
    with tempfile.TemporaryDirectory(prefix="export-") as scratch:
        progress("Exporting the graph")
        fused = export_graph(checkpoint, Path(scratch))
        fp32 = Scorer(fused)
        by_truncation = score_truncations(
            lambda ids, report: fp32.scores(ids, report=report).logits,
            tokenizer,
            validation,
            max_length,
            progress=progress,
        )
        measured = truncation_metrics(by_truncation, validation.labels)
        truncation = truncation or more_accurate(measured)
        validation_ids = tokenize_rows(tokenizer, validation.texts, max_length, truncation)
        test_ids = tokenize_rows(tokenizer, test.texts, max_length, truncation)
        progress(f"Scoring fp32 on {len(test):,} test rows")
        validation_fp32 = by_truncation[truncation]
        test_fp32: NDArray[np.floating[Any]] = fp32.scores(*test_ids).logits
        wide: WideModel | None = None
        alone: dict[str, NDArray[np.floating[Any]]] = {}
        if wide_rows is not None:
            wide = _fit_wide(
                wide_rows, tokenizer, labels, validation_fp32, validation_ids.whole, known, progress
            )
            alone = {"deep": test_fp32, "wide": wide.part.logits(test_ids.whole)}
            validation_fp32 = wide.logits(validation_fp32, validation_ids.whole)
            test_fp32 = wide.logits(test_fp32, test_ids.whole)
        progress("Quantizing")
        candidates = quantize_candidates(fused, wide, Path(scratch))
        choice = choose(candidates, gate, validation_fp32, validation_ids, known, progress)
        chosen = choice.candidate
        progress(f"Scoring {chosen.quantization.name} on {len(test):,} test rows")
        test_int8, pooled_test = Scorer(chosen.path).scores(*test_ids)
        calibration = _calibrate(choice.scores.logits, known)
        fp32_test, int8_test = (
            softmax(logits, calibration["temperature"]) for logits in (test_fp32, test_int8)
        )
        novelty = fit_novelty(choice.scores.pooled, known, labels)
        novelties = None if novelty is None or pooled_test is None else novelty.of(pooled_test)
        card = {
            "schema_version": CARD_SCHEMA_VERSION,
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "labels": labels,
            "max_length": max_length,
            "truncation": truncation,
            "truncation_metrics": measured,
            "text_cleaning": list(CLEANING),
            "architecture": _architecture(checkpoint),
            "metrics": {
                "split": "test",
                "rows": len(test),
                "fp32": classification_metrics(truth, fp32_test),
                "int8": classification_metrics(truth, int8_test),
                "flipped": flipped(fp32_test, int8_test),
                "baselines": _baselines(alone, int8_test, known, truth),
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
                "candidates": choice.card_entries,
            },
            "calibration": calibration,
            **({"wide": wide.card_field()} if wide else {}),
            **({"novelty": novelty.card_field()} if novelty else {}),
            **card_fields,
        }
        with publishing(artifacts, chosen.path, card) as folder:
            progress("Writing the artifact")
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
            golden = choose_golden(softmax(test_fp32), softmax(test_int8))
            write_golden(folder / GOLDEN_FILE, test, labels, fp32_test, int8_test, golden)
    return Artifact(folder=artifacts / "models" / card["model_version"], card=card)


def _fit_wide(
    rows: Rows,
    tokenizer: Tokenizer,
    labels: list[str],
    deep: NDArray[np.floating[Any]],
    whole: Sequence[Sequence[int]],
    truth: NDArray[np.int64],
    progress: Progress,
) -> WideModel:
    """Fit the wide part on `rows`, and on validation rows how it is added to the deep part's logits."""
    progress(f"Tokenizing {len(rows):,} rows for the wide part")
    part = fit_wide(
        encode_whole(tokenizer, rows.texts),
        rows.labels,
        len(labels),
        weights=rows.weights,
        report=lambda done, total: progress("Fitting the wide part", done, total),
    )
    return WideModel(part, fit_stacking(deep, part.logits(whole), truth))


def _baselines(
    alone: dict[str, NDArray[np.floating[Any]]],
    served: NDArray[np.floating[Any]],
    known: NDArray[np.int64],
    truth: NDArray[np.int64],
) -> dict[str, Any]:
    """Score what is cheaper than the served model on the same rows, and the gain of that model over each.

    `alone` are the logits of the parts, of the deep one in fp32; `known` are the labels of other rows, which
    say what label is the most frequent.
    """
    right = served.argmax(axis=1) == truth
    correct = {"majority": truth == np.bincount(known).argmax()} | {
        name: logits.argmax(axis=1) == truth for name, logits in alone.items()
    }
    return {
        name: {
            "accuracy": float(baseline.mean()),
            "gain": float(right.mean() - baseline.mean()),
            "gain_ci95": list(paired_interval(baseline, right)),
        }
        for name, baseline in correct.items()
    }


def _calibrate(logits: NDArray[np.float32], truth: NDArray[np.int64]) -> dict[str, Any]:
    """Fit the temperature of the served graph; return the field of the card."""
    temperature = fit_temperature(logits, truth)
    before, after = (calibration_error(softmax(logits, t), truth) for t in (1.0, temperature))
    return {
        "temperature": temperature,
        "split": "validation",
        "rows": len(truth),
        "ece": {"before": before, "after": after},
    }


def _architecture(checkpoint: Path) -> dict[str, Any]:
    config = AutoConfig.from_pretrained(checkpoint)
    return {
        "family": config.model_type,
        "layers": config.num_hidden_layers,
        "width": config.hidden_size,
        "heads": config.num_attention_heads,
    }
