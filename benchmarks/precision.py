"""What training in bf16 does to accuracy: the quick recipe in both precisions, on the same rows.

Run as `python -m benchmarks.precision`. Each seed has its own split; both checkpoints answer its validation
rows (the precision is chosen by them, so no test row is read) as they are, in fp32 and before any export.
The interval of the difference is a bootstrap over the rows of all seeds; times are of fine-tuning alone, one
after the other, and not to be trusted on a busy machine (`benchmarks.training_speed` has better ones).
"""

import json
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from training.config import configure
from training.data import prepare
from training.examples import tokenised
from training.model import backend, load_classifier
from training.progress import RichProgress
from training.rows import Dataset
from training.tune import fine_tune

RESULT = Path("artifacts/bench/precision.json")
FOLDER = Path("artifacts/bench/precision")
SEEDS = (0, 1, 2, 3)
PRECISIONS = ("fp32", "bf16")
VALIDATION_ROWS = 2_000
ROUNDS, INTERVAL = 10_000, (2.5, 97.5)


def main() -> None:
    """Train, compare, show and write the table."""
    right: dict[str, list[NDArray[np.bool_]]] = {precision: [] for precision in PRECISIONS}
    seconds: dict[str, list[float]] = {precision: [] for precision in PRECISIONS}
    console = Console()
    with RichProgress(console) as progress:
        for seed in SEEDS:
            for precision in PRECISIONS:
                progress(f"Seed {seed} in {precision}")
                config = configure(
                    quick=True, seed=seed, precision=precision, validation_rows=VALIDATION_ROWS
                )
                data = prepare(config)
                tuned = fine_tune(config, data, FOLDER / precision, progress=progress)
                right[precision].append(answers(tuned.checkpoint, data, config.max_length))
                seconds[precision].append(tuned.seconds)
    report(right, seconds, console)


def answers(checkpoint: Path, data: Dataset, tokens: int) -> NDArray[np.bool_]:
    """Tell of each validation row whether the checkpoint is right."""
    model, tokenizer = load_classifier(str(checkpoint), data.labels)
    examples = tokenised(data.validation, backend(tokenizer), tokens, "head_tail", FOLDER / "cache")
    model.eval()
    with torch.inference_mode():
        decided = [int(model(input_ids=torch.tensor([ids])).logits.argmax()) for ids in examples.ids]
    right: NDArray[np.bool_] = np.equal(decided, list(data.validation.labels))
    return right


def report(
    right: dict[str, list[NDArray[np.bool_]]], seconds: dict[str, list[float]], console: Console
) -> None:
    """Show the table and write it."""
    table = Table(
        "seed", *(f"{precision}, accuracy" for precision in PRECISIONS), "difference", "fp32 s", "bf16 s"
    )
    rows = []
    for place, seed in enumerate(SEEDS):
        fp32, bf16 = (float(right[precision][place].mean()) for precision in PRECISIONS)
        times = [seconds[precision][place] for precision in PRECISIONS]
        table.add_row(
            str(seed),
            f"{fp32:.2%}",
            f"{bf16:.2%}",
            f"{100 * (bf16 - fp32):+.2f}",
            *(f"{one:.0f}" for one in times),
        )
        rows.append({"seed": seed, "fp32": fp32, "bf16": bf16, "seconds": times})
    fp32_all, bf16_all = (np.concatenate(right[precision]) for precision in PRECISIONS)
    differences = bf16_all.astype(float) - fp32_all
    random = np.random.default_rng(0)
    draws = [random.choice(differences, len(differences)).mean() for _ in range(ROUNDS)]
    low, high = np.percentile(draws, INTERVAL)
    console.print(table)
    console.print(
        f"bf16 less fp32 over {len(differences):,} rows: {100 * differences.mean():+.2f} points "
        f"(95% interval {100 * low:+.2f} to {100 * high:+.2f}); "
        f"decided otherwise right or wrong {np.mean(fp32_all != bf16_all):.1%}"
    )
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(
        json.dumps({"rows": rows, "difference": differences.mean(), "interval": [low, high]}, indent=2) + "\n"
    )


if __name__ == "__main__":
    main()
