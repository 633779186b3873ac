"""The accuracy of training in bf16 against fp32: the quick recipe in both, on the same rows.

Run as `python -m benchmarks.training.precision`. Each seed has its own split. Both checkpoints predict its
validation rows (they choose the precision, so no test row is used) in fp32, before any export. The interval
of the difference is that of promotion, over the rows of all seeds. Times are of fine-tuning alone, one after
the other, and unreliable on a busy machine (`benchmarks.training.speed` has better ones).
"""

import json
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from training.config import configure
from training.data.examples import tokenized_examples
from training.data.prepare import prepare
from training.data.rows import Dataset
from training.finetune.model import backend_tokenizer, load_classifier
from training.finetune.tune import fine_tune
from training.progress import RichProgress
from training.registry.promotion import paired

RESULT = Path("artifacts/bench/precision.json")
FOLDER = Path("artifacts/bench/precision")
SEEDS = (0, 1, 2, 3)
PRECISIONS = ("fp32", "bf16")
VALIDATION_ROWS = 2_000


@dataclass
class Predictions:
    """The predictions of one precision's checkpoints on the validation rows, by seed."""

    labels: list[list[str]] = field(default_factory=list)
    correct: list[NDArray[np.bool_]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def main() -> None:
    """Train, compare, print and write the table."""
    found = {precision: Predictions() for precision in PRECISIONS}
    console = Console()
    with RichProgress(console) as progress:
        for seed in SEEDS:
            for precision, predictions in found.items():
                progress(f"Seed {seed} in {precision}")
                config = configure(
                    quick=True, seed=seed, precision=precision, validation_rows=VALIDATION_ROWS
                )
                data = prepare(config)
                tuned = fine_tune(config, data, FOLDER / precision, progress=progress)
                predicted = predict(tuned.checkpoint, data, config.max_length)
                predictions.labels.append([data.labels[label] for label in predicted])
                predictions.correct.append(np.array(predicted) == np.array(list(data.validation.labels)))
                predictions.seconds.append(tuned.seconds)
    report(found["fp32"], found["bf16"], console)


def predict(checkpoint: Path, data: Dataset, tokens: int) -> list[int]:
    """Return the index of the label that the checkpoint predicts for each validation row."""
    model, tokenizer = load_classifier(str(checkpoint), data.labels)
    examples = tokenized_examples(
        data.validation, backend_tokenizer(tokenizer), tokens, "head_tail", FOLDER / "cache"
    )
    model.eval()
    with torch.inference_mode():
        return [int(model(input_ids=torch.tensor([ids])).logits.argmax()) for ids in examples.ids]


def report(fp32: Predictions, bf16: Predictions, console: Console) -> None:
    """Print the table and write it."""
    table = Table("seed", "fp32, accuracy", "bf16, accuracy", "difference", "fp32 s", "bf16 s")
    for seed, one, other, *seconds in zip(
        SEEDS, fp32.correct, bf16.correct, fp32.seconds, bf16.seconds, strict=True
    ):
        shares = one.mean(), other.mean()
        table.add_row(
            str(seed),
            *(f"{share:.2%}" for share in shares),
            f"{100 * (shares[1] - shares[0]):+.2f}",
            *(f"{each:.0f}" for each in seconds),
        )
    rows = sum(map(len, fp32.correct))
    compared = paired(
        np.concatenate(fp32.correct),
        np.concatenate(bf16.correct),
        held_out=rows,
        predictions=(list(chain(*fp32.labels)), list(chain(*bf16.labels))),
    )
    console.print(table)
    console.print(
        f"bf16 minus fp32 over {rows:,} rows: {100 * compared.difference:+.2f} points "
        f"(95% interval {100 * compared.low:+.2f} to {100 * compared.high:+.2f}), "
        f"{compared.decided_differently:.1%} of decisions differ"
    )
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(compared.as_dict(), indent=2) + "\n")


if __name__ == "__main__":
    main()
