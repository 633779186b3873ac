"""What novelty costs a request: `python -m benchmarks.novelty_cost [ARTIFACT]`.

The same session answers the same texts with novelty and without it, when the graph is asked for logits alone:
the classifier by itself, and the whole Lambda handler with a queue in another process. The two take turns on
one thread, each going first every other text. The cost is the median over the texts of what the same text
took longer, with a bootstrap interval. Prints a table and writes artifacts/bench/novelty_cost.json. With
`--clock cpu` it counts the process's CPU time, which a busy machine disturbs less and which has no waiting.
"""

import argparse
import contextlib
import copy
import io
import json
import os
import time
import timeit
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
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
from functions.api.app import create_app, create_dependencies
from functions.api.dependencies import Dependencies
from functions.api.model.artifact import load_artifact
from functions.api.model.classifier import Classifier
from functions.api.model.novelty import NoveltyMeasure
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
    parts = create_dependencies(settings())
    if parts.classifier.card.novelty is None:
        raise SystemExit(f"{artifact} holds no measure of novelty: export it again")
    classifiers = [without_novelty(parts.classifier), parts.classifier]
    event = json.loads(EVENT.read_text())
    context = cast(LambdaContext, SimpleNamespace(**CONTEXT))

    def handler(parts: Dependencies) -> Answer:
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
        "classifier": (classifiers[0].compute, classifiers[1].compute),
        "whole handler": (handlers[0], handlers[1]),
    }


def without_novelty(classifier: Classifier) -> Classifier:
    """Return what the classifier would be if its card held no measure, on the same session.

    With a session of its own it would differ by up to 7% either way for where its weights lie in memory.
    """
    plain = copy.copy(classifier)
    plain._outputs, plain._novelty = ["logits"], None
    plain._classify_cached = lru_cache(maxsize=0)(plain._classify)
    return plain


def measure(pair: tuple[Answer, Answer], texts: list[str], clock: Callable[[], float]) -> np.ndarray:
    """Return milliseconds of (texts, [without, with]), warm-up left out.

    Each side first answers another text untimed, so that its own code is as warm as where it runs alone.
    """
    took = np.zeros((len(texts), 2))
    for turn, text in enumerate(texts):
        for side in ((0, 1), (1, 0))[turn % 2]:
            pair[side](texts[turn - 1])
            start = clock()
            pair[side](text)
            took[turn, side] = (clock() - start) * 1000
    return took[WARM_UP:]


def cost(took: np.ndarray, chance: np.random.Generator) -> tuple[float, float, float]:
    """Return what novelty adds to a text, median and 95% interval, as fractions of the time without it."""
    added = took[:, 1] - took[:, 0]
    drawn = added[chance.integers(len(added), size=(RESAMPLES, len(added)))]
    low, high = np.percentile(np.median(drawn, axis=1), [2.5, 97.5])
    without = np.median(took[:, 0])
    return float(np.median(added) / without), float(low / without), float(high / without)


def measure_alone(artifact: Path, clock: Callable[[], float]) -> float:
    """Return the microseconds that the measure itself takes for one text."""
    record = load_artifact(artifact).card.novelty
    if record is None:
        raise SystemExit(f"{artifact} holds no measure of novelty: export it again")
    novelty = NoveltyMeasure(record)
    pooled = np.random.default_rng(0).normal(size=novelty.width).astype(np.float32)
    return min(timeit.repeat(lambda: novelty.of(pooled), timer=clock, number=1000, repeat=15)) / 1000 * 1e6


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("artifact", type=Path, nargs="?", default=ROOT / "artifacts" / "model")
    parser.add_argument("--rounds", type=int, default=500, help="texts a length (default 500)")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    given = parser.parse_args()
    clock = time.perf_counter if given.clock == "wall" else time.process_time
    console = Console(width=max(110, Console().width))
    chance = np.random.default_rng(0)
    tokenizer = Tokenizer.from_file(str(given.artifact / "tokenizer.json"))
    table = Table("", "tokens", "without, ms", "with, ms", "novelty adds", "95% interval")
    figures: list[dict[str, Any]] = []
    with contextlib.redirect_stdout(io.StringIO()):  # where the handler's metrics go
        pairs = contenders(given.artifact, start_queue_stub())
        for tokens in TOKENS:
            texts = texts_of(tokens, given.rounds + WARM_UP, tokenizer, seed=tokens)
            for name, pair in pairs.items():
                took = measure(pair, texts, clock)
                without, with_novelty = np.median(took, axis=0)
                added, low, high = cost(took, chance)
                table.add_row(
                    name,
                    str(tokens),
                    f"{without:.3f}",
                    f"{with_novelty:.3f}",
                    f"{added:.2%}",
                    f"{low:.2%} to {high:.2%}",
                )
                figures.append({"contender": name, "tokens": tokens, "ms": took.tolist()})
    alone = measure_alone(given.artifact, clock)
    console.print(table)
    console.print(
        f"The measure alone: {alone:.1f} µs a text. Clock: {given.clock}; {given.rounds} texts a length."
    )
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(json.dumps({"clock": given.clock, "alone_us": alone, "samples": figures}) + "\n")


if __name__ == "__main__":
    main()
