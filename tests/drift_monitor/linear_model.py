"""A real classifier that is small enough to train in a fixture: a logistic regression on hashed words.

Tokens are those of the real tokenizer.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression

from functions.drift_monitor.detection.features import tabulate
from local.reviews import Review
from tests.drift_monitor.sample_data import LABELS, MAX_LENGTH, tokenizer
from training.config import configure
from training.data.sources import read
from training.text import clean

HIDDEN_SIZE = 32  # of the replacement for the pooled hidden state


@dataclass(frozen=True)
class TrainedModel:
    """A model and the reviews that it was not trained on, in random order."""

    model: "Model"
    unseen: list[Review]


class Model:
    def __init__(self, reviews: Sequence[Review]) -> None:
        self._tokenizer = tokenizer()
        self._unknown = self._tokenizer.token_to_id("[UNK]")
        self._words = HashingVectorizer(n_features=2**16, alternate_sign=False)
        inputs = self._words.transform(clean(review.text) for review in reviews)
        truth = np.array([LABELS.index(review.label) for review in reviews])
        self._classifier = LogisticRegression(C=30, solver="liblinear").fit(inputs, truth)
        self._encoder = TruncatedSVD(HIDDEN_SIZE, random_state=0).fit(inputs)
        pooled = self._encoder.transform(inputs)
        self._centroids = np.stack([pooled[truth == label].mean(axis=0) for label in range(len(LABELS))])
        self._spread = (pooled - self._centroids[truth]).std(axis=0)

    def __call__(self, texts: Sequence[str]) -> dict[str, Any]:
        """Return what the API would log, by column; probabilities as an array (rows, labels)."""
        cleaned = [clean(text) for text in texts]
        inputs = self._words.transform(cleaned)
        probabilities = self._classifier.predict_proba(inputs)
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch(cleaned)]
        return {
            "text": list(texts),
            "characters": [len(text) for text in texts],
            "tokens": [len(text) for text in ids],
            "truncated": [len(text) > MAX_LENGTH for text in ids],
            "unknown_tokens": [text.count(self._unknown) for text in ids],
            "sentiment": [LABELS[best] for best in probabilities.argmax(axis=1)],
            "confidence": probabilities.max(axis=1).tolist(),
            "novelty": self._novelty(self._encoder.transform(inputs)).tolist(),
            "probabilities": probabilities,
        }

    def table(self, reviews: Sequence[Review]) -> pd.DataFrame:
        """Return the features of the predictions, as the monitor compares them."""
        columns = self([review.text for review in reviews])
        return tabulate(columns, columns.pop("probabilities"))

    def _novelty(self, pooled: NDArray[np.float64]) -> NDArray[np.float64]:
        deviations = (pooled[:, None, :] - self._centroids) / self._spread
        nearest: NDArray[np.float64] = np.sqrt((deviations**2).mean(axis=2)).min(axis=1)
        return nearest


def train(rows: int) -> TrainedModel:
    """Train on `rows` reviews."""
    table = read(configure())
    reviews = [
        Review(text, LABELS[int(label)]) for text, label in zip(table.texts, table.labels, strict=True)
    ]
    random.Random(0).shuffle(reviews)
    return TrainedModel(Model(reviews[:rows]), reviews[rows:])
