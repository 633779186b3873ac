"""Choose the truncation of long texts by comparing both on the validation rows."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from training.data.rows import Rows
from training.finetune.model import Classifier, backend_tokenizer
from training.metrics import Metrics, classification_metrics
from training.progress import Progress, silent
from training.text import TRUNCATIONS, Truncation, encode_batch

_BATCH = 16


def compare_truncations(
    classifier: Classifier, rows: Rows, max_length: int, *, progress: Progress = silent
) -> dict[Truncation, Metrics]:
    """Measure the classifier on `rows` with each truncation, at `max_length` tokens.

    Texts that are not truncated are scored once.
    """
    tokenizer = backend_tokenizer(classifier.tokenizer)
    encoded = {
        truncation: encode_batch(tokenizer, rows.texts, max_length, truncation) for truncation in TRUNCATIONS
    }
    first, *others = TRUNCATIONS
    message = "Comparing head with head and tail"
    differing = {truncation: _differing(encoded[first], encoded[truncation]) for truncation in others}
    total = len(rows) + sum(map(len, differing.values()))
    scored = _probabilities(classifier, encoded[first], lambda done: progress(message, done, total))
    probabilities = {first: scored}
    for truncation, changed in differing.items():
        probabilities[truncation] = scored.copy()
        if changed:
            texts = [encoded[truncation][row] for row in changed]
            probabilities[truncation][changed] = _probabilities(
                classifier, texts, lambda done: progress(message, len(rows) + done, total)
            )
    truth = np.array(rows.labels)
    return {
        truncation: classification_metrics(truth, probabilities[truncation]) for truncation in TRUNCATIONS
    }


def more_accurate(metrics: dict[Truncation, Metrics]) -> Truncation:
    """Return the more accurate truncation; at equal accuracy, the one with the lower log loss."""
    return max(
        metrics, key=lambda truncation: (metrics[truncation]["accuracy"], -metrics[truncation]["log_loss"])
    )


def _differing(first: Sequence[list[int]], second: Sequence[list[int]]) -> list[int]:
    return [row for row, (left, right) in enumerate(zip(first, second, strict=True)) if left != right]


def _probabilities(
    classifier: Classifier, encoded: Sequence[list[int]], report: Callable[[int], None]
) -> NDArray[np.float64]:
    """Score token ids in padded batches of similar length; returns (texts, labels)."""
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
