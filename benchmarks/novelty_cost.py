"""What novelty costs a request: `python -m benchmarks.novelty_cost [ARTEFACT]`.

The same artefact answers the same texts with novelty and without it (its card without the measure, so that
the graph is asked for logits alone): the classifier by itself, and the whole Lambda handler with a queue in
another process. The two take turns, first one first, then the other, on one thread; the interval is a
bootstrap over the pairs. Prints a table and writes artifacts/bench/novelty_cost.json. With `--clock cpu` it
counts the process's CPU time instead, which a busy machine disturbs less and which leaves out the waiting.
"""

import argparse
import contextlib
import io
import json
import os
import time
import timeit
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from mangum import Mangum
from mangum.types import LambdaContext
from rich.console import Console
from rich.table import Table
from sentiment.logging import metrics
from tokenizers import Tokenizer

from benchmarks.latency import texts_of
from benchmarks.our_handler import CONTEXT, EVENT, environment
from benchmarks.queue_stub import start_queue_stub
from functions.api.app import create_app, create_parts
from functions.api.artifact import load_artifact
from functions.api.classifier import Classifier
from functions.api.dependencies import Parts
from functions.api.novelty import NoveltyMeasure
from functions.api.settings import SERVICE, settings

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "artifacts" / "bench" / "novelty_cost.json"
TOKENS = (16, 128, 256)
WARM_UP = 5
RESAMPLES = 2000
Answer = Callable[[str], Any]


def contenders(artifact: Path, queue_url: str) -> dict[str, tuple[Answer, Answer]]:
    """Return classifier and handler, each without novelty and with it."""
    os.environ |= environment(artifact, queue_url)
    whole = load_artifact(artifact)
    if whole.card.novelty is None:
        raise SystemExit(f"{artifact} holds no measure of novelty: export it again")
    without = whole._replace(card=whole.card.model_copy(update={"novelty": None}))
    classifiers = [Classifier(each, threads=1, cache_entries=0) for each in (without, whole)]
    parts = create_parts(settings())
    event = json.loads(EVENT.read_text())
    context = cast(LambdaContext, SimpleNamespace(**CONTEXT))

    def handler(parts: Parts) -> Answer:
        answer = Mangum(create_app(parts), lifespan="off")

        def predict(text: str) -> Any:
            given = answer(event | {"body": json.dumps({"text": text}), "isBase64Encoded": False}, context)
            metrics(SERVICE).flush_metrics()
            if given["statusCode"] != 200:
                raise SystemExit(f"the handler answered {given['statusCode']}: {given['body']}")
            return given

        return predict

    handlers = [handler(replace(parts, classifier=classifier)) for classifier in classifiers]
    return {
        "classifier": (classifiers[0].predict, classifiers[1].predict),
        "whole handler": (handlers[0], handlers[1]),
    }


def measure(pair: tuple[Answer, Answer], texts: list[str], clock: Callable[[], float]) -> np.ndarray:
    """Return milliseconds of (texts, [without, with]), warm-up left out.

    Each first answers the text before, untimed, which brings its weights back into the processor's caches.
    """
    took = np.zeros((len(texts), 2))
    for turn, text in enumerate(texts):
        for side in ((0, 1), (1, 0))[turn % 2]:
            pair[side](texts[turn - 1])
            start = clock()
            pair[side](text)
            took[turn, side] = (clock() - start) * 1000
    return took[WARM_UP:]


def ratio(took: np.ndarray, chance: np.random.Generator) -> tuple[float, float, float]:
    """Return the ratio of medians, with novelty to without, and its 95% interval."""
    medians = np.median(took, axis=0)
    drawn = took[chance.integers(len(took), size=(RESAMPLES, len(took)))]
    resampled = np.median(drawn, axis=1)
    low, high = np.percentile(resampled[:, 1] / resampled[:, 0], [2.5, 97.5])
    return float(medians[1] / medians[0]), float(low), float(high)


def measure_alone(artifact: Path) -> float:
    """Return the microseconds that the measure itself takes for one text."""
    record = load_artifact(artifact).card.novelty
    if record is None:
        raise SystemExit(f"{artifact} holds no measure of novelty: export it again")
    novelty = NoveltyMeasure(record)
    pooled = np.random.default_rng(0).normal(size=novelty.width).astype(np.float32)
    return min(timeit.repeat(lambda: novelty.of(pooled), number=2000, repeat=7)) / 2000 * 1e6


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("artifact", type=Path, nargs="?", default=ROOT / "artifacts" / "model")
    parser.add_argument("--rounds", type=int, default=300, help="texts a length (default 300)")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    given = parser.parse_args()
    clock = time.perf_counter if given.clock == "wall" else time.process_time
    console = Console(width=max(110, Console().width))
    chance = np.random.default_rng(0)
    tokenizer = Tokenizer.from_file(str(given.artifact / "tokenizer.json"))
    table = Table("", "tokens", "without, ms", "with, ms", "ratio", "95% interval")
    figures: list[dict[str, Any]] = []
    with contextlib.redirect_stdout(io.StringIO()):  # where the handler's metrics go
        pairs = contenders(given.artifact, start_queue_stub())
        for tokens in TOKENS:
            texts = texts_of(tokens, given.rounds + WARM_UP, tokenizer, seed=tokens)
            for name, pair in pairs.items():
                took = measure(pair, texts, clock)
                without, with_novelty = np.median(took, axis=0)
                times, low, high = ratio(took, chance)
                table.add_row(
                    name,
                    str(tokens),
                    f"{without:.3f}",
                    f"{with_novelty:.3f}",
                    f"{times:.4f}",
                    f"{low:.4f} to {high:.4f}",
                )
                figures.append({"contender": name, "tokens": tokens, "ms": took.tolist()})
    alone = measure_alone(given.artifact)
    console.print(table)
    console.print(
        f"The measure alone: {alone:.1f} µs a text. Clock: {given.clock}; {given.rounds} texts a length."
    )
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(json.dumps({"clock": given.clock, "alone_us": alone, "samples": figures}) + "\n")


if __name__ == "__main__":
    main()
