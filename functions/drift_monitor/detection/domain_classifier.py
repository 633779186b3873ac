"""Asks a small model whether it can tell the window's texts from the reference's by their words.

If it cannot, the texts are alike in all that single words show: topic, style, spelling, language. Each text
is judged by a model that has not seen it, so that learning texts by heart gains nothing; for the same reason
texts that repeat count once. It reads at most some thousand texts, and keeps none.
"""

from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from functions.drift_monitor.detection.features import TEXT_SCORE

LARGEST_SAMPLE = 2000  # texts of each side; more would take longer and say the same
FEWEST = 50  # different texts of each side; fewer teach nothing
FOLDS = 5


def add_domain_scores(reference: pd.DataFrame, current: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return both tables with a column more: how surely the model takes each text for one of the window.

    It is null for texts that were not sampled. The tables come back as they are when one of them has no
    texts, or too few different ones. The same tables give the same scores.
    """
    if "text" not in reference or "text" not in current:
        return reference, current
    chosen = _sample(reference["text"]), _sample(current["text"])
    if min(map(len, chosen)) < FEWEST:
        return reference, current
    # Long texts and short ones weigh the same (rows have unit length): lengths are features of their own.
    words = HashingVectorizer(n_features=2**16, alternate_sign=False, dtype=np.float64)
    inputs = sparse.vstack([words.transform(texts) for texts in chosen])
    side = np.repeat([0, 1], [len(texts) for texts in chosen])
    scores = np.empty(len(side))
    for learnt, judged in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(inputs, side):
        # The dual form needs no BLAS, whose threads wait for each other on a busy machine.
        model = LogisticRegression(solver="liblinear", dual=True, class_weight="balanced", random_state=0)
        model.fit(inputs[learnt], side[learnt])
        scores[judged] = model.predict_proba(inputs[judged])[:, 1]
    reference_scores, current_scores = (
        pd.Series(scores[side == number], index=texts.index) for number, texts in enumerate(chosen)
    )
    return reference.assign(**{TEXT_SCORE: reference_scores}), current.assign(**{TEXT_SCORE: current_scores})


def count_told_apart(table: pd.DataFrame) -> int | None:
    """Return how many texts of a table got a score, of those that repeat one; None without scores."""
    return int(table[TEXT_SCORE].count()) if TEXT_SCORE in table else None


def _sample(texts: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return different texts in random order, always the same ones in whatever order they came."""
    different = texts.drop_duplicates().sort_values()
    return different.sample(n=min(LARGEST_SAMPLE, len(different)), random_state=0)
