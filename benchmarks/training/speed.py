"""The speed of fine-tuning in reviews per second, by option.

Run as `python -m benchmarks.training.speed`. Every contender has the embedded model and its own optimizer.
They take turns of a few steps each, so that noise affects all of them equally. A step goes from a batch of
token ids to updated weights; evaluation, checkpoints and export are not included.
"""

import contextlib
import json
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from transformers import DataCollatorWithPadding, set_seed

from training.config import configure
from training.data.examples import Examples, tokenized_examples
from training.data.prepare import prepare
from training.finetune.model import backend_tokenizer, freeze, load_classifier
from training.finetune.sampler import LengthGroupedSampler

RESULT = Path("artifacts/bench/training_speed.json")
CACHE = Path("artifacts/bench/cache")
ROWS, TURNS, STEPS = 800, 3, 2
UNTIMED = 3  # steps before the first timed one: torch.compile compiles for the first two shapes


@dataclass(frozen=True)
class Choice:
    """One set of training options."""

    name: str
    tokens: int = 128
    batch: int = 16
    grouped: bool = True
    frozen_embeddings: bool = True
    frozen_layers: int = 0
    dropout: float | None = None
    checkpointing: bool = False
    compiled: bool = False
    bf16: bool = False


CHOICES = (
    Choice("the embedded model's defaults, at 128 tokens"),
    Choice("256 tokens", tokens=256),
    Choice("--no-length-grouped", grouped=False),
    Choice("256 tokens, --no-length-grouped", tokens=256, grouped=False),
    Choice("--no-freeze-embeddings", frozen_embeddings=False),
    Choice("--frozen-layers 2", frozen_layers=2),
    Choice("--dropout 0", dropout=0.0),
    Choice("--dropout 0 --frozen-layers 1, as --quick", dropout=0.0, frozen_layers=1),
    Choice("--batch-size 8", batch=8),
    Choice("--batch-size 32", batch=32),
    Choice("--gradient-checkpointing", checkpointing=True),
    Choice("--torch-compile", compiled=True),
    Choice("--precision bf16", bf16=True),
)


class Contender:
    """A model being trained."""

    def __init__(self, choice: Choice, examples: Examples, pad: DataCollatorWithPadding) -> None:
        set_seed(0)
        self.choice, self._pad, self._examples = choice, pad, examples
        model, _ = load_classifier("embedded", ["negative", "positive"], dropout=choice.dropout)
        freeze(model, embeddings=choice.frozen_embeddings, layers=choice.frozen_layers)
        if choice.checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        self._optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-5)
        self._model: Any = torch.compile(model.train()) if choice.compiled else model.train()
        self._batches = self._endless_batches()

    def _endless_batches(self) -> Iterator[list[dict[str, Any]]]:
        size, epoch = self.choice.batch, 0
        while True:
            order = list(range(len(self._examples)))
            if self.choice.grouped:
                grouped = LengthGroupedSampler(self._examples.lengths, size, seed=0)
                grouped.set_epoch(epoch)
                order = list(grouped)
            for start in range(0, len(order) - size + 1, size):
                yield [self._examples[row] for row in order[start : start + size]]
            epoch += 1

    def step(self) -> int:
        """Train on the next batch; return its number of reviews."""
        rows = next(self._batches)
        batch = self._pad(rows)
        precision = torch.autocast("cpu", torch.bfloat16) if self.choice.bf16 else contextlib.nullcontext()
        with precision:
            loss = self._model(**batch).loss
        loss.backward()
        self._optimizer.step()
        self._optimizer.zero_grad()
        return len(rows)


def main() -> None:
    """Train all in turns, print and write the table."""
    console = Console()
    data = prepare(configure(train_rows=ROWS))
    _, tokenizer = load_classifier("embedded", data.labels)
    pad = DataCollatorWithPadding(tokenizer)
    examples, seconds = {}, {}
    for tokens in (128, 256):
        for state in ("cold", "warm"):
            if state == "cold":
                for file in CACHE.glob("*"):
                    file.unlink()
            started = time.perf_counter()
            examples[tokens] = tokenized_examples(
                data.train, backend_tokenizer(tokenizer), tokens, "head_tail", CACHE
            )
            seconds[tokens, state] = time.perf_counter() - started
    contenders = [Contender(choice, examples[choice.tokens], pad) for choice in CHOICES]
    rates: list[list[float]] = [[] for _ in contenders]
    for contender in track(contenders, "untimed steps", console=console):
        for _ in range(UNTIMED):
            contender.step()
    for _ in track(range(TURNS), "timed turns", console=console):
        for contender, measured in zip(contenders, rates, strict=True):
            started = time.perf_counter()
            reviews = sum(contender.step() for _ in range(STEPS))
            measured.append(reviews / (time.perf_counter() - started))
    medians = [statistics.median(measured) for measured in rates]
    table = Table("", "reviews/s", "slowest and fastest turn", "times the first")
    for choice, measured, median in zip(CHOICES, rates, medians, strict=True):
        spread = f"{min(measured):.1f} to {max(measured):.1f}"
        table.add_row(choice.name, f"{median:.1f}", spread, f"{median / medians[0]:.2f}")
    console.print(table)
    cold, warm = seconds[256, "cold"], seconds[256, "warm"]
    console.print(f"tokenizing {len(data.train):,} reviews: {cold:.2f} s, from the cache {warm:.2f} s")
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    result = {
        "threads": torch.get_num_threads(),
        "reviews_per_second": {c.name: rate for c, rate in zip(CHOICES, medians, strict=True)},
        "tokenizing_seconds": {"reviews": len(data.train), "cold": cold, "warm": warm},
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
