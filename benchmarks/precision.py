"""What training in bf16 does to accuracy: the quick recipe in both precisions, on the same rows.

Run as `python -m benchmarks.precision`. Each seed has its own split; both checkpoints answer its validation
rows (the precision is chosen by them, so no test row is read) as they are, in fp32 and before any export.
The interval of the difference is promotion's, over the rows of all seeds; times are of fine-tuning alone, one
after the other, and not to be trusted on a busy machine (`benchmarks.training_speed` has better ones).
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
from training.data.examples import tokenised
from training.data.prepare import prepare
from training.data.rows import Dataset
from training.finetune.model import backend, load_classifier
from training.finetune.tune import fine_tune
from training.progress import RichProgress
from training.registry.promotion import paired

RESULT = Path("artifacts/bench/precision.json")
FOLDER = Path("artifacts/bench/precision")
SEEDS = (0, 1, 2, 3)
PRECISIONS = ("fp32", "bf16")
VALIDATION_ROWS = 2_000


@dataclass
class Answers:
    """What the checkpoints of one precision decided on the validation rows, seed by seed."""

    decided: list[list[str]] = field(default_factory=list)
    right: list[NDArray[np.bool_]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def main() -> None:
    """Train, compare, show and write the table."""
    found = {precision: Answers() for precision in PRECISIONS}
    console = Console()
    with RichProgress(console) as progress:
        for seed in SEEDS:
            for precision, answers in found.items():
                progress(f"Seed {seed} in {precision}")
                config = configure(
                    quick=True, seed=seed, precision=precision, validation_rows=VALIDATION_ROWS
                )
                data = prepare(config)
                tuned = fine_tune(config, data, FOLDER / precision, progress=progress)
                decided = decide(tuned.checkpoint, data, config.max_length)
                answers.decided.append([data.labels[label] for label in decided])
                answers.right.append(np.array(decided) == np.array(list(data.validation.labels)))
                answers.seconds.append(tuned.seconds)
    report(found["fp32"], found["bf16"], console)


def decide(checkpoint: Path, data: Dataset, tokens: int) -> list[int]:
    """Return the number of the label that the checkpoint gives to each validation row."""
    model, tokenizer = load_classifier(str(checkpoint), data.labels)
    examples = tokenised(data.validation, backend(tokenizer), tokens, "head_tail", FOLDER / "cache")
    model.eval()
    with torch.inference_mode():
        return [int(model(input_ids=torch.tensor([ids])).logits.argmax()) for ids in examples.ids]


def report(fp32: Answers, bf16: Answers, console: Console) -> None:
    """Show the table and write it."""
    table = Table("seed", "fp32, accuracy", "bf16, accuracy", "difference", "fp32 s", "bf16 s")
    for seed, one, other, *seconds in zip(
        SEEDS, fp32.right, bf16.right, fp32.seconds, bf16.seconds, strict=True
    ):
        shares = one.mean(), other.mean()
        table.add_row(
            str(seed),
            *(f"{share:.2%}" for share in shares),
            f"{100 * (shares[1] - shares[0]):+.2f}",
            *(f"{each:.0f}" for each in seconds),
        )
    rows = sum(map(len, fp32.right))
    compared = paired(
        np.concatenate(fp32.right),
        np.concatenate(bf16.right),
        held_out=rows,
        answers=(list(chain(*fp32.decided)), list(chain(*bf16.decided))),
    )
    console.print(table)
    console.print(
        f"bf16 less fp32 over {rows:,} rows: {100 * compared.difference:+.2f} points "
        f"(95% interval {100 * compared.low:+.2f} to {100 * compared.high:+.2f}), "
        f"{compared.decided_differently:.1%} decided otherwise"
    )
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(compared.figures(), indent=2) + "\n")


if __name__ == "__main__":
    main()
