"""Score texts with a PyTorch classifier, in padded batches of similar length."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from training.finetune.model import Classifier

_BATCH = 16


def score_padded(
    classifier: Classifier, encoded: Sequence[Sequence[int]], report: Callable[[int], None] = lambda _: None
) -> NDArray[np.float64]:
    """Score token ids; returns logits (texts, labels). `report` gets the number of scored texts."""
    model = classifier.model.eval().to("cuda" if torch.cuda.is_available() else "cpu")
    longest_first = sorted(range(len(encoded)), key=lambda row: -len(encoded[row]))
    scores = np.zeros((len(encoded), model.config.num_labels))
    for start in range(0, len(encoded), _BATCH):
        rows = longest_first[start : start + _BATCH]
        batch = classifier.tokenizer.pad({"input_ids": [encoded[row] for row in rows]}, return_tensors="pt")
        with torch.inference_mode():
            logits = model(**batch.to(model.device)).logits
        scores[rows] = logits.double().cpu().numpy()
        report(start + len(rows))
    return scores
