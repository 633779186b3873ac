"""Predictions of the served model for texts that training did not use, to measure the drift monitor.

The classifier of `functions/api` makes them. They are cached in a file, because a thousand reviews take
minutes. They are neither logged nor stored as predictions.
"""

import os
import random
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from sentiment.exceptions import ConfigurationError
from sentiment.model_card import ModelCard, read_card

from functions.api.model.artifact import load_artifact
from functions.api.model.classifier import Classifier
from functions.drift_monitor.detection.features import tabulate
from local.reviews import Review
from training.config import configure
from training.data.prepare import prepare
from training.data.sources import read

SAVE_EVERY_TEXTS = 500
Advance = Callable[[int], None]


class PredictionCache:
    """The predictions of one artifact, cached in `folder` by text."""

    def __init__(self, model_dir: Path, folder: Path) -> None:
        artifact = load_artifact(model_dir)
        self._classifier = Classifier(artifact, threads=1, cache_entries=0)
        self.card = self._classifier.card
        self._file = folder / f"predictions-{self.card.model_version}.parquet"
        rows = pq.read_table(self._file).to_pylist() if self._file.exists() else []
        self._rows: dict[str, dict[str, Any]] = {row["text"]: row for row in rows}

    def predict(self, texts: Iterable[str], advance: Advance = lambda _: None) -> list[dict[str, Any]]:
        """Return the fields that would be logged of each text; `advance` receives the number of new texts."""
        requested = list(texts)
        missing = [text for text in dict.fromkeys(requested) if text not in self._rows]
        advance(len(requested) - len(missing))
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            for start in range(0, len(missing), SAVE_EVERY_TEXTS):
                for row in threads.map(self._predict, missing[start : start + SAVE_EVERY_TEXTS]):
                    self._rows[row["text"]] = row
                    advance(1)
                self._save()
        return [self._rows[text] for text in requested]

    def features(self, texts: Iterable[str], advance: Advance = lambda _: None) -> pd.DataFrame:
        """Return the features of the predictions, as the monitor compares them."""
        rows = self.predict(texts, advance)
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        return tabulate(columns, np.array(columns["probabilities"]))

    def _predict(self, text: str) -> dict[str, Any]:
        prediction = self._classifier.compute(text)
        return {
            "text": text,
            "characters": len(text),
            "tokens": prediction.tokens,
            "truncated": prediction.truncated,
            "unknown_tokens": prediction.unknown_tokens,
            "sentiment": prediction.sentiment,
            "confidence": prediction.confidence,
            "novelty": prediction.novelty,
            "probabilities": list(prediction.probabilities.values()),
        }

    def _save(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        partial = self._file.with_suffix(".partial")
        pq.write_table(pa.Table.from_pylist(list(self._rows.values())), partial, compression="zstd")
        partial.replace(self._file)


def unseen_reviews(model_dir: Path, data: Path | None = None) -> list[Review]:
    """Return labeled texts that the model was neither trained nor evaluated on, in random order.

    They are the embedded reviews that training did not use, or the rows of `data` that are not in the
    reference. Raises ConfigurationError when the model was trained on other data and `data` is None.
    """
    card = load_artifact(model_dir).card
    reference = set(pq.read_table(model_dir / "reference.parquet", columns=["text"])["text"].to_pylist())
    options = _split_options(model_dir)
    if data is not None:
        table = read(configure(data=str(data)))
        used = reference
    elif options is not None:
        config = configure(**options)
        table, parts = read(config), prepare(config)
        used = {text for part in (parts.train, parts.validation, parts.test) for text in part.texts}
    else:
        raise ConfigurationError(
            "the model was not trained on the embedded reviews; give texts with --data FILE"
        )
    labels = list(table.label_names or card.labels)
    rows = [
        Review(text.strip(), str(label) if str(label) in card.labels else labels[int(label)])
        for text, label in zip(table.texts, table.labels, strict=True)
    ]
    unseen = list({row.text: row for row in rows if row.text and row.text not in used}.values())
    random.Random(0).shuffle(unseen)  # noqa: S311
    return unseen


def _split_options(model_dir: Path) -> dict[str, Any] | None:
    """Return the options by which the embedded data was split for training, None for other data."""
    data = read_card(model_dir, ModelCard).model_dump().get("data", {})
    if data.get("name") != "embedded":
        return None
    names = ("source", "train_rows", "validation_rows", "test_rows", "seed")
    return {name: data["options"][name] for name in names if name in data["options"]}
