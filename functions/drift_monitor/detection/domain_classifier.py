"""A domain classifier: a small model that tries to separate the window's texts from the reference's.

If it cannot, the texts are alike in everything that single words show: topic, style, spelling, language. Each
text is scored by a fold that was not trained on it, and repeated texts count once, so memorizing gains
nothing. It reads at most a few thousand texts and stores none.
"""

from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from functions.drift_monitor.detection.features import TEXT_SCORE

SAMPLE_TEXTS = 2000  # of each table; more take longer for the same result
MIN_TEXTS = 50  # distinct, of each table; fewer are too few to learn from
FOLDS = 5


def add_domain_scores(reference: pd.DataFrame, current: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return both tables with a column more: the probability that a text is from the window.

    It is null for texts that were not sampled. If a table has no texts, or too few distinct ones, both are
    returned unchanged. The same tables give the same scores.
    """
    if "text" not in reference or "text" not in current:
        return reference, current
    samples = _sample(reference["text"]), _sample(current["text"])
    if min(map(len, samples)) < MIN_TEXTS:
        return reference, current
    # Rows have unit length, so long and short texts weigh the same: length is a feature of its own.
    words = HashingVectorizer(n_features=2**16, alternate_sign=False, dtype=np.float64)
    inputs = sparse.vstack([words.transform(texts) for texts in samples])
    domain = np.repeat([0, 1], [len(texts) for texts in samples])
    scores = np.empty(len(domain))
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(inputs, domain):
        # The dual form needs no BLAS, whose threads wait for each other on a busy machine.
        model = LogisticRegression(solver="liblinear", dual=True, class_weight="balanced", random_state=0)
        model.fit(inputs[train], domain[train])
        scores[test] = model.predict_proba(inputs[test])[:, 1]
    reference_scores, current_scores = (
        pd.Series(scores[domain == number], index=texts.index) for number, texts in enumerate(samples)
    )
    return reference.assign(**{TEXT_SCORE: reference_scores}), current.assign(**{TEXT_SCORE: current_scores})


def count_scored_texts(table: pd.DataFrame) -> int | None:
    """Return how many texts of a table have a score (repeated ones count once); None without scores."""
    return int(table[TEXT_SCORE].count()) if TEXT_SCORE in table else None


def _sample(texts: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return distinct texts in random order; the order of the input makes no difference."""
    distinct = texts.drop_duplicates().sort_values()
    return distinct.sample(n=min(SAMPLE_TEXTS, len(distinct)), random_state=0)
