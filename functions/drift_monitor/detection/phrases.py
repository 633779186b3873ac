"""Words and pairs of words that a window uses more than the reference: what a change is about, at a glance.

Ranked by log-odds with an informative Dirichlet prior (Monroe, Colaresi and Quinn 2008, "Fightin' Words"): a
plain ratio finds words that occur once, a plain difference finds "the". Only phrases that occur in several
distinct texts are shown, to keep personal data out.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer

MIN_TEXTS, MIN_SHARE = 5, 0.005  # distinct texts of the window that hold a phrase, whichever is more
MAX_REFERENCE_SHARE = 0.25  # phrases in more of the reference's texts are grammar
SAMPLE_TEXTS = 2000  # of each side; more only take longer
TEXT_CHARACTERS = 1000  # of each text
PRIOR_COUNT = 1000  # weight of the prior, in words of each side
MIN_Z = 3.0  # standard deviations; less may be chance among thousands of phrases
MAX_PHRASES = 8
WORD = r"(?u)\b[^\W\d_]+(?:['\u2019][^\W\d_]+)?\b"  # no digits, which are prices, dates and phone numbers


@dataclass(frozen=True)
class Phrase:
    """A phrase that became more frequent, and its uses per thousand words."""

    phrase: str
    z: float
    current: float
    reference: float

    def as_dict(self) -> dict[str, Any]:
        """Return the fields stored in dataset_metrics."""
        return asdict(self)


def typical_phrases(reference: Iterable[str], current: Iterable[str]) -> list[Phrase]:
    """Return the phrases most typical of the current texts, strongest first.

    A repeated text counts once.
    """
    before, now = _distinct(reference), _distinct(current)
    least = max(MIN_TEXTS, math.ceil(MIN_SHARE * len(now)))
    if not before or len(now) < least:
        return []
    vectorizer = CountVectorizer(ngram_range=(1, 2), token_pattern=WORD, min_df=MIN_TEXTS)
    try:
        counts = vectorizer.fit_transform([*now, *before])
    except ValueError:  # no phrase is in enough texts
        return []
    now_counts, before_counts = counts[: len(now)], counts[len(now) :]
    texts = np.asarray((now_counts > 0).sum(axis=0)).ravel()
    reference_share = np.asarray((before_counts > 0).mean(axis=0)).ravel()
    uses, uses_before = (np.asarray(side.sum(axis=0)).ravel() for side in (now_counts, before_counts))
    scores = log_odds(uses, uses_before)
    names = vectorizer.get_feature_names_out()
    single = np.array([" " not in name for name in names])
    sides = [(side, int(side[single].sum())) for side in (uses, uses_before)]
    ranked = [
        i
        for i in np.argsort(-scores)
        if texts[i] >= least and reference_share[i] <= MAX_REFERENCE_SHARE and scores[i] >= MIN_Z
    ]
    chosen: list[Phrase] = []
    for i in ranked:
        if len(chosen) == MAX_PHRASES:
            break
        # "sound", "track" and "sound track" are one phrase.
        if not any(set(names[i].split()) & set(phrase.phrase.split()) for phrase in chosen):
            rates = (round(1000 * float(side[i]) / max(1, words), 2) for side, words in sides)
            chosen.append(Phrase(str(names[i]), round(float(scores[i]), 2), *rates))
    return chosen


def log_odds(current: NDArray[Any], reference: NDArray[Any]) -> NDArray[np.float64]:
    """Return each phrase's z-score (equations 16, 19, 20 and 22 of the paper); positive favors `current`."""
    both = current + reference
    prior = PRIOR_COUNT * both / both.sum()

    def log_odds_of(counts: NDArray[Any]) -> NDArray[np.float64]:
        smoothed: NDArray[np.float64] = counts + prior
        odds: NDArray[np.float64] = np.log(smoothed / (counts.sum() + PRIOR_COUNT - smoothed))
        return odds

    spread = np.sqrt(1 / (current + prior) + 1 / (reference + prior))
    z: NDArray[np.float64] = (log_odds_of(current) - log_odds_of(reference)) / spread
    return z


def _distinct(texts: Iterable[str]) -> Sequence[str]:
    """Return distinct texts, cut to TEXT_CHARACTERS; a sample if there are many."""
    unique = list(dict.fromkeys(text[:TEXT_CHARACTERS] for text in texts))
    if len(unique) <= SAMPLE_TEXTS:
        return unique
    chosen = np.random.default_rng(0).choice(len(unique), SAMPLE_TEXTS, replace=False)
    return [unique[i] for i in chosen]
