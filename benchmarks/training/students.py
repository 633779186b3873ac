"""Accuracy and speed of distilled students, against their teacher on the same rows.

Run as `python -m benchmarks.training.students [TEACHER]`, where TEACHER is the folder of a fine-tuned
checkpoint; without it, the quick model is fine-tuned first. All are tested at 256 tokens; truncation,
temperature and quantization are chosen on validation rows, and results are for test rows. Latency is of the
int8 graph alone, one text on one thread, all taking turns.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from training.config import TrainingConfig, configure
from training.data.prepare import prepare
from training.data.rows import Dataset
from training.evaluation.served import ServedModel
from training.export.artifact import Artifact
from training.export.scorer import time_tokens
from training.metrics import bootstrap_interval
from training.pipeline import publish, tune_checkpoint
from training.progress import Progress, RichProgress

RESULT = Path("artifacts/bench/students.json")
FOLDER = Path("artifacts/bench/students")
LAYERS = (4, 3, 2)
TOKENS = (16, 128, 256)
TEST_ROWS = 2_500


@dataclass(frozen=True)
class Measured:
    """One model on the test rows."""

    layers: int
    artifact: Artifact
    correct: NDArray[np.bool_]
    predictions: list[str]
    training_seconds: float


def main() -> None:
    """Distill, measure, print and write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training.students", description=__doc__)
    parser.add_argument("teacher", nargs="?", type=Path)
    parser.add_argument("--train-rows", type=int, default=4_000)
    parser.add_argument("--epochs", type=int, default=2, help="of each student")
    arguments = parser.parse_args()
    console = Console()
    options: dict[str, Any] = {
        "quick": True,
        "train_rows": arguments.train_rows,
        "test_rows": TEST_ROWS,
        "artifacts": FOLDER,
    }
    data = prepare(configure(**options))
    with RichProgress(console) as progress:
        teacher = arguments.teacher
        if teacher is None:
            config = configure(**options)
            teacher, _ = tune_checkpoint(config, data, FOLDER / "teacher", run_id=None, progress=progress)
        models = [measure(configure(**options), data, teacher, 0.0, progress)]
        for layers in LAYERS:
            config = configure(
                **options, epochs=arguments.epochs, student_layers=layers, teacher=str(teacher)
            )
            checkpoint, record = tune_checkpoint(
                config, data, FOLDER / str(layers), run_id=None, progress=progress
            )
            models.append(measure(config, data, checkpoint, record.seconds, progress))
    graphs = [model.artifact.folder / "model.onnx" for model in models]
    latencies = {tokens: time_tokens(graphs, tokens) for tokens in TOKENS}
    report(models, latencies, console)


def measure(
    config: TrainingConfig, data: Dataset, checkpoint: Path, seconds: float, progress: Progress
) -> Measured:
    """Export the checkpoint and predict the test rows as served."""
    from training.record import TrainingRecord

    record = TrainingRecord(
        config=config,
        data_fingerprint=data.fingerprint,
        run_key="benchmark",
        steps=0,
        seconds=seconds,
        resumed_from_step=0,
        precision="fp32",
        processes=1,
        git_commit=None,
        mlflow_run_id=None,
    )
    artifact = publish(checkpoint, record, data, FOLDER, progress=progress)
    model = ServedModel(artifact, progress)
    predictions = model.predict(data.test.texts)
    truth = [data.labels[label] for label in data.test.labels]
    correct = np.array([one == label for one, label in zip(predictions, truth, strict=True)])
    return Measured(artifact.card["architecture"]["layers"], artifact, correct, predictions, seconds)


def report(models: list[Measured], latencies: dict[int, list[float]], console: Console) -> None:
    """Print the table and write it."""
    teacher = models[0]
    lengths = [f"{tokens} tokens" for tokens in TOKENS]
    table = Table("layers", "accuracy, int8", "differs from the teacher", *lengths, "MB", "training, s")
    rows = []
    for index, model in enumerate(models):
        low, high = bootstrap_interval(model.correct)
        others = np.array(
            [one != two for one, two in zip(model.predictions, teacher.predictions, strict=True)]
        )
        spread = bootstrap_interval(others)
        times = {tokens: of_all[index] for tokens, of_all in latencies.items()}
        megabytes = (model.artifact.folder / "model.onnx").stat().st_size / 1e6
        table.add_row(
            str(model.layers),
            f"{model.correct.mean():.1%} ({low:.1%} to {high:.1%})",
            f"{others.mean():.1%} ({spread[0]:.1%} to {spread[1]:.1%})",
            *(f"{ms:.1f} ms ({latencies[tokens][0] / ms:.2f}x)" for tokens, ms in times.items()),
            f"{megabytes:.1f}",
            f"{model.training_seconds:.0f}",
        )
        rows.append(
            {
                "layers": model.layers,
                "accuracy": float(model.correct.mean()),
                "accuracy_ci95": [low, high],
                "decided_otherwise": float(others.mean()),
                "decided_otherwise_ci95": list(spread),
                "latency_ms": times,
                "size_mb": megabytes,
                "training_seconds": model.training_seconds,
                "fp32_accuracy": model.artifact.card["metrics"]["fp32"]["accuracy"],
            }
        )
    console.print(table)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps({"test_rows": len(teacher.correct), "models": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
