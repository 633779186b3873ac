"""Compute statistics of each part of a data set: label counts, lengths and languages.

They are stored in the model card and from there in the table `dataset_metrics`. Dropped rows are counted by
`training.data.prepare`.
"""

import random
import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from training.data.rows import Dataset, Rows
from training.text import clean

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_LANGUAGE_SAMPLE = 300  # texts: a share of 10% is then known to within 3.5 points
_CHARACTERS = 300  # of each text, enough for a reliable guess
_MARKUP = re.compile(r"<[^<>]*>")


def describe(data: Dataset) -> dict[str, dict[str, Any]]:
    """Return for each part: label counts, quantiles of characters and words, and shares of languages."""
    parts = {"train": data.train, "validation": data.validation, "test": data.test}
    return {name: _describe(rows, data.labels) for name, rows in parts.items() if len(rows)}


def _describe(rows: Rows, labels: list[str]) -> dict[str, Any]:
    counts = Counter(rows.labels)
    return {
        "labels": {label: counts[index] for index, label in enumerate(labels)},
        "characters": _quantiles([len(text) for text in rows.texts]),
        "words": _quantiles([len(text.split()) for text in rows.texts]),
        "languages": _languages(rows.texts),
    }


def _quantiles(lengths: list[int]) -> dict[str, float]:
    values = np.quantile(lengths, _QUANTILES)
    return {f"p{share * 100:02.0f}": float(value) for share, value in zip(_QUANTILES, values, strict=True)}


def _languages(texts: Sequence[str]) -> dict[str, float]:
    """Detect the languages of a sample; return the share of each ISO 639-1 code, most frequent first."""
    identifier = language_identifier()
    sample = random.Random(0).sample(texts, min(_LANGUAGE_SAMPLE, len(texts)))  # noqa: S311  (a sample)
    beginnings = (_MARKUP.sub(" ", clean(text[: 4 * _CHARACTERS]))[:_CHARACTERS] for text in sample)
    counts = Counter(identifier.classify(text)[0] for text in beginnings)
    return {language: round(count / len(sample), 4) for language, count in counts.most_common()}


@cache
def language_identifier() -> Any:
    """Load py3langid's model, which takes most of a second."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE)
