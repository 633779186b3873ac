"""Run an ONNX graph as serving does, on many texts."""

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from training.export.graph import POOLED
from training.export.wide import TEXT_IDS
from training.text import Truncation, encode_whole, truncate

_TIMED_ROUNDS = 15


class TokenizedRows(NamedTuple):
    """The token ids of texts, as the inputs of a graph."""

    read: Sequence[Sequence[int]]  # what the deep part reads: at most max_length tokens each
    whole: Sequence[Sequence[int]]  # what the wide part reads: every token


class Scores(NamedTuple):
    """The outputs of a graph, one row per text."""

    logits: NDArray[np.float32]  # (texts, labels)
    pooled: NDArray[np.float32] | None  # (texts, width); None if the graph has no such output


class Scorer:
    """Runs an ONNX graph as serving does, one unpadded text per call, in parallel on all cores."""

    def __init__(self, graph: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        self.inputs = {graph_input.name for graph_input in self.session.get_inputs()}
        available = {output.name for output in self.session.get_outputs()}
        self.outputs = [name for name in ("logits", POOLED) if name in available]

    def logits(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Score one text that the model reads whole; returns (labels,)."""
        row: NDArray[np.float32] = self._run(["logits"], ids, ids)[0][0]
        return row

    def scores(
        self,
        encoded: Sequence[Sequence[int]],
        whole: Sequence[Sequence[int]] | None = None,
        report: Callable[[int], None] = lambda _: None,
    ) -> Scores:
        """Score texts; the result includes the input of the classification head.

        `whole` are the ids of the texts before truncation, which only a graph with a wide part reads; None:
        no text is truncated. `report` gets the number of scored texts.
        """
        rows = []
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            scored = threads.map(partial(self._run, self.outputs), encoded, whole or encoded)
            for done, row in enumerate(scored, start=1):
                rows.append(row)
                report(done)
        logits, *pooled = (np.concatenate(column) for column in zip(*rows, strict=True))
        return Scores(logits, pooled[0] if pooled else None)

    def _run(self, outputs: list[str], ids: Sequence[int], text: Sequence[int]) -> list[NDArray[Any]]:
        tokens = np.array([ids], dtype=np.int64)
        feed = {
            "input_ids": tokens,
            "attention_mask": np.ones_like(tokens),
            "token_type_ids": np.zeros_like(tokens),
            TEXT_IDS: np.array([text], dtype=np.int64),
        }
        results: list[NDArray[Any]] = self.session.run(outputs, {name: feed[name] for name in self.inputs})
        return results


def tokenize_rows(
    tokenizer: Tokenizer, texts: Sequence[str], max_length: int, truncation: Truncation
) -> TokenizedRows:
    """Encode texts on all cores; the tokenizer must neither pad nor truncate."""
    whole = encode_whole(tokenizer, texts)
    return TokenizedRows([truncate(ids, max_length, truncation) for ids in whole], whole)


def time_tokens(graphs: Sequence[Path], tokens: int) -> list[float]:
    """Return the latency of each graph for one text of that many tokens, on one thread (ms, medians).

    The graphs take turns, so that noise affects all of them equally.
    """
    return time_scorers([Scorer(graph) for graph in graphs], tokens)


def time_scorers(scorers: Sequence[Scorer], tokens: int) -> list[float]:
    """Return the latencies of `time_tokens` for graphs that are already loaded."""
    ids = [101] * tokens
    samples: list[list[float]] = [[] for _ in scorers]
    for _ in range(_TIMED_ROUNDS):
        for scorer, times in zip(scorers, samples, strict=True):
            start = time.perf_counter()
            scorer.logits(ids)
            times.append((time.perf_counter() - start) * 1000)
    return [median(times) for times in samples]
