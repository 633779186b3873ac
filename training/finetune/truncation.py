"""Choose how texts longer than the limit are cut, by measuring both ways on the validation rows."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from training.data.rows import Rows
from training.finetune.model import Classifier, backend
from training.metrics import Metrics, classification_metrics
from training.progress import Progress, silent
from training.text import TRUNCATIONS, Truncation, encode_batch

_BATCH = 16


def compare(
    classifier: Classifier, rows: Rows, max_length: int, *, progress: Progress = silent
) -> dict[Truncation, Metrics]:
    """Measure the classifier on `rows` under each truncation, at `max_length` tokens.

    Texts that fit are scored once for both.
    """
    tokenizer = backend(classifier.tokenizer)
    encoded = {way: encode_batch(tokenizer, rows.texts, max_length, way) for way in TRUNCATIONS}
    first, *others = TRUNCATIONS
    message = "Comparing head with head and tail"
    differing = {way: _differing(encoded[first], encoded[way]) for way in others}
    total = len(rows) + sum(map(len, differing.values()))
    scored = _probabilities(classifier, encoded[first], lambda done: progress(message, done, total))
    probabilities = {first: scored}
    for way, changed in differing.items():
        probabilities[way] = scored.copy()
        if changed:
            texts = [encoded[way][row] for row in changed]
            probabilities[way][changed] = _probabilities(
                classifier, texts, lambda done: progress(message, len(rows) + done, total)
            )
    truth = np.array(rows.labels)
    return {way: classification_metrics(truth, probabilities[way]) for way in TRUNCATIONS}


def better(metrics: dict[Truncation, Metrics]) -> Truncation:
    """Return the more accurate way; at equal accuracy the one that is surer of the truth (log loss)."""
    return max(metrics, key=lambda way: (metrics[way]["accuracy"], -metrics[way]["log_loss"]))


def _differing(one: Sequence[list[int]], other: Sequence[list[int]]) -> list[int]:
    return [row for row, (left, right) in enumerate(zip(one, other, strict=True)) if left != right]


def _probabilities(
    classifier: Classifier, encoded: Sequence[list[int]], report: Callable[[int], None]
) -> NDArray[np.float64]:
    """Score token ids in padded batches of like length; returns (texts, labels)."""
    model = classifier.model.eval().to("cuda" if torch.cuda.is_available() else "cpu")
    longest_first = sorted(range(len(encoded)), key=lambda row: -len(encoded[row]))
    scores = np.zeros((len(encoded), model.config.num_labels))
    for start in range(0, len(encoded), _BATCH):
        report(start)
        rows = longest_first[start : start + _BATCH]
        batch = classifier.tokenizer.pad({"input_ids": [encoded[row] for row in rows]}, return_tensors="pt")
        with torch.inference_mode():
            logits = model(**batch.to(model.device)).logits
        scores[rows] = torch.softmax(logits.double(), dim=1).cpu().numpy()
    report(len(encoded))
    return scores
