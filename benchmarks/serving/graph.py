"""The speed-up of each change to the served graph, for the embedded model in int8.

Run as `python -m benchmarks.serving.graph`. Starts from the usual export (traced, fused, quantized per
channel) and adds the changes of `training.export.graph` one by one. All graphs take turns on one thread.
Prints a table and writes artifacts/bench/graph.json.
"""

import json
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
from rich.console import Console
from rich.table import Table

from training.export.graph import (
    QUANTIZATIONS,
    drop_mask,
    expand_layer_norms,
    keep_first_token,
    quantize,
    trace_and_fuse,
)
from training.export.scorer import Scorer
from training.finetune.model import load_classifier

TOKENS = (16, 64, 128, 256, 512)
STEPS = ("usual export", "+ last block for the first token", "+ no mask", "+ vectorized layer norm")
ROUNDS = 30
TARGET = Path(__file__).parents[2] / "artifacts" / "bench" / "graph.json"


def build(step: int, folder: Path) -> Scorer:
    """Build the int8 graph with the first `step` changes."""
    model = load_classifier("embedded", ["negative", "positive"]).model.eval()
    if step >= 1:
        keep_first_token(model)
    graph = trace_and_fuse(model, folder)
    if step >= 2:
        drop_mask(graph)
    if step >= 3:
        expand_layer_norms(graph.model)
    graph.save_model_to_file(str(folder / "fused.onnx"))
    return Scorer(quantize(folder / "fused.onnx", folder / "int8.onnx", QUANTIZATIONS[0]))


def main() -> None:
    """Measure, print and write."""
    console = Console(width=max(110, Console().width))
    milliseconds: dict[str, dict[int, float]] = {step: {} for step in STEPS}
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder, console.status("Building and timing"):
        scorers = [build(step, Path(folder) / str(step)) for step in range(len(STEPS))]
        for tokens in TOKENS:
            samples: list[list[float]] = [[] for _ in STEPS]
            for _ in range(ROUNDS):
                ids = rng.integers(1000, 20_000, tokens).tolist()
                for scorer, times in zip(scorers, samples, strict=True):
                    start = time.perf_counter()
                    scorer.logits(ids)
                    times.append((time.perf_counter() - start) * 1000)
            for step, times in zip(STEPS, samples, strict=True):
                milliseconds[step][tokens] = median(times)
    table = Table("int8 graph", *[f"{tokens} tokens" for tokens in TOKENS], title="median ms, one thread")
    for step, by_tokens in milliseconds.items():
        first = milliseconds[STEPS[0]]
        table.add_row(step, *[f"{took:.2f} ({first[n] / took:.2f}x)" for n, took in by_tokens.items()])
    console.print(table)
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(json.dumps(milliseconds, indent=2) + "\n")


if __name__ == "__main__":
    main()
