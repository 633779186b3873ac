"""The latency that novelty adds to a request: `python -m benchmarks.serving.novelty_cost [ARTIFACT]`.

The same session predicts the same texts with and without novelty (then the graph computes only the logits):
the classifier alone, and the whole Lambda handler with a queue in another process. The two take turns on one
thread, each first for every other text. The cost is the median difference per text, with a bootstrap
interval. Prints a table and writes artifacts/bench/novelty_cost.json. `--clock cpu` measures CPU time, which
a busy machine affects less and which excludes waiting.
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

from benchmarks.serving.latency import texts_of
from benchmarks.serving.our_handler import CONTEXT, EVENT, environment
from benchmarks.serving.queue_stub import start_queue_stub
from functions.api.app import create_app, create_dependencies
from functions.api.dependencies import Dependencies
from functions.api.model.artifact import load_artifact
from functions.api.model.classifier import Classifier
from functions.api.model.novelty import NoveltyMeasure
from functions.api.settings import SERVICE, settings

ROOT = Path(__file__).parents[2]
TARGET = ROOT / "artifacts" / "bench" / "novelty_cost.json"
TOKENS = (16, 128, 256)
WARM_UP = 5
RESAMPLES = 2000
Answer = Callable[[str], Any]


def contenders(artifact: Path, queue_url: str) -> dict[str, tuple[Answer, Answer]]:
    """Return classifier and handler, each without and with novelty."""
    os.environ |= environment(artifact, queue_url)
    dependencies = create_dependencies(settings())
    if dependencies.classifier.card.novelty is None:
        raise SystemExit(f"{artifact} has no novelty measure; export it again")
    classifiers = [without_novelty(dependencies.classifier), dependencies.classifier]
    event = json.loads(EVENT.read_text())
    context = cast(LambdaContext, SimpleNamespace(**CONTEXT))

    def handler(dependencies: Dependencies) -> Answer:
        answer = Mangum(create_app(dependencies), lifespan="off")

        def predict(text: str) -> Any:
            given = answer(event | {"body": json.dumps({"text": text}), "isBase64Encoded": False}, context)
            metrics(SERVICE).flush_metrics()
            if given["statusCode"] != 200:
                raise SystemExit(f"the handler returned {given['statusCode']}: {given['body']}")
            return given

        return predict

    handlers = [handler(replace(dependencies, classifier=classifier)) for classifier in classifiers]
    return {
        "classifier": (classifiers[0].compute, classifiers[1].compute),
        "whole handler": (handlers[0], handlers[1]),
    }


def without_novelty(classifier: Classifier) -> Classifier:
    """Return the classifier without the novelty measure, on the same session.

    With its own session it would differ by up to 7% either way, depending on where its weights are in memory.
    """
    plain = copy.copy(classifier)
    plain._outputs, plain._novelty = ["logits"], None
    plain._classify_cached = lru_cache(maxsize=0)(plain._classify)
    return plain


def measure(pair: tuple[Answer, Answer], texts: list[str], clock: Callable[[], float]) -> np.ndarray:
    """Return milliseconds of (texts, [without, with]), warm-up left out.

    Each side first predicts another text untimed, so that its code is as warm as when it runs alone.
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
    """Return the added latency per text, median and 95% interval, relative to that without novelty."""
    added = took[:, 1] - took[:, 0]
    drawn = added[chance.integers(len(added), size=(RESAMPLES, len(added)))]
    low, high = np.percentile(np.median(drawn, axis=1), [2.5, 97.5])
    without = np.median(took[:, 0])
    return float(np.median(added) / without), float(low / without), float(high / without)


def measure_alone(artifact: Path, clock: Callable[[], float]) -> float:
    """Return the time of the measure alone for one text, in microseconds."""
    record = load_artifact(artifact).card.novelty
    if record is None:
        raise SystemExit(f"{artifact} has no novelty measure; export it again")
    novelty = NoveltyMeasure(record)
    pooled = np.random.default_rng(0).normal(size=novelty.width).astype(np.float32)
    return min(timeit.repeat(lambda: novelty.of(pooled), timer=clock, number=1000, repeat=15)) / 1000 * 1e6


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("artifact", type=Path, nargs="?", default=ROOT / "artifacts" / "model")
    parser.add_argument("--rounds", type=int, default=500, help="texts a length (default 500)")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    arguments = parser.parse_args()
    clock = time.perf_counter if arguments.clock == "wall" else time.process_time
    console = Console(width=max(110, Console().width))
    chance = np.random.default_rng(0)
    tokenizer = Tokenizer.from_file(str(arguments.artifact / "tokenizer.json"))
    table = Table("", "tokens", "without, ms", "with, ms", "novelty adds", "95% interval")
    samples: list[dict[str, Any]] = []
    with contextlib.redirect_stdout(io.StringIO()):  # where the handler's metrics go
        pairs = contenders(arguments.artifact, start_queue_stub())
        for tokens in TOKENS:
            texts = texts_of(tokens, arguments.rounds + WARM_UP, tokenizer, seed=tokens)
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
                samples.append({"contender": name, "tokens": tokens, "ms": took.tolist()})
    alone = measure_alone(arguments.artifact, clock)
    console.print(table)
    console.print(
        f"The measure alone: {alone:.1f} µs per text. Clock: {arguments.clock}; "
        f"{arguments.rounds} texts per length."
    )
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(json.dumps({"clock": arguments.clock, "alone_us": alone, "samples": samples}) + "\n")


if __name__ == "__main__":
    main()
