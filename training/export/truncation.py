"""Choose the truncation of long texts by comparing both on the validation rows."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from training.calibration import softmax
from training.data.rows import Rows
from training.metrics import Metrics, classification_metrics
from training.progress import Progress, silent
from training.text import TRUNCATIONS, Truncation, encode_whole, truncate

Logits = NDArray[np.floating[Any]]
# Scores token ids and reports how many texts are done; returns logits (texts, labels).
Score = Callable[[Sequence[Sequence[int]], Callable[[int], None]], Logits]


def score_truncations(
    score: Score, tokenizer: Tokenizer, rows: Rows, max_length: int, *, progress: Progress = silent
) -> dict[Truncation, Logits]:
    """Score `rows` with each truncation, at `max_length` tokens; texts that fit are scored once."""
    whole = encode_whole(tokenizer, rows.texts)
    head, both_ends = ([truncate(ids, max_length, way) for ids in whole] for way in TRUNCATIONS)
    cut = [row for row, ids in enumerate(whole) if len(ids) > max_length]

    def report(done: int) -> None:
        progress("Comparing head with head and tail", done, len(rows) + len(cut))

    logits = score(head, report)
    other = logits.copy()
    if cut:
        other[cut] = score([both_ends[row] for row in cut], lambda done: report(len(rows) + done))
    return dict(zip(TRUNCATIONS, (logits, other), strict=True))


def truncation_metrics(logits: dict[Truncation, Logits], labels: Sequence[int]) -> dict[Truncation, Metrics]:
    """Return the metrics of each truncation."""
    truth = np.array(labels)
    return {way: classification_metrics(truth, softmax(scored)) for way, scored in logits.items()}


def more_accurate(metrics: dict[Truncation, Metrics]) -> Truncation:
    """Return the more accurate truncation; at equal accuracy, the one with the lower log loss."""
    return max(
        metrics, key=lambda truncation: (metrics[truncation]["accuracy"], -metrics[truncation]["log_loss"])
    )
