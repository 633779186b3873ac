"""Which words and pairs of words a window uses more than the reference: what a change is about, at a glance.

Ranked by log-odds with an informative Dirichlet prior (Monroe, Colaresi and Quinn 2008, "Fightin' Words"): a
plain ratio finds words that occur once, a plain difference finds "the". Only phrases of many different texts
are shown, so that nothing personal surfaces; of texts that are not stored there is nothing to show.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer

LEAST_TEXTS, LEAST_SHARE = 5, 0.005  # different texts of the window must hold a phrase, whichever is more
MOST_COMMON = 0.25  # of the reference's texts; what more of them hold is grammar
MOST_TEXTS = 2000  # of each side; more only take longer
MOST_CHARACTERS = 1000  # of each text
PRIOR_COUNT = 1000  # what both sides together say weighs as much as so many words on each
LEAST_Z = 3.0  # standard deviations; below, it may be chance among thousands of phrases
SHOWN = 8
WORD = r"(?u)\b[^\W\d_]+(?:['\u2019][^\W\d_]+)?\b"  # no digits: they are prices, dates and telephone numbers


@dataclass(frozen=True)
class Phrase:
    """A phrase that is typical of the window, and how often it comes per thousand words."""

    phrase: str
    z: float
    current: float
    reference: float

    def figures(self) -> dict[str, Any]:
        """Return what is stored of it."""
        return asdict(self)


def typical_phrases(reference: Iterable[str], current: Iterable[str]) -> list[Phrase]:
    """Return the phrases most typical of the current texts, strongest first; none when none stands out.

    A text counts once, however often it was sent.
    """
    before, now = _distinct(reference), _distinct(current)
    least = max(LEAST_TEXTS, math.ceil(LEAST_SHARE * len(now)))
    if not before or len(now) < least:
        return []
    vectorizer = CountVectorizer(ngram_range=(1, 2), token_pattern=WORD, min_df=LEAST_TEXTS)
    try:
        counts = vectorizer.fit_transform([*now, *before])
    except ValueError:  # no phrase is in enough texts
        return []
    ours, theirs = counts[: len(now)], counts[len(now) :]
    holding = np.asarray((ours > 0).sum(axis=0)).ravel()
    common = np.asarray((theirs > 0).mean(axis=0)).ravel()
    uses, used = (np.asarray(side.sum(axis=0)).ravel() for side in (ours, theirs))
    scores = log_odds(uses, used)
    names = vectorizer.get_feature_names_out()
    single = np.array([" " not in name for name in names])
    sides = [(side, int(side[single].sum())) for side in (uses, used)]
    ranked = [
        i
        for i in np.argsort(-scores)
        if holding[i] >= least and common[i] <= MOST_COMMON and scores[i] >= LEAST_Z
    ]
    chosen: list[Phrase] = []
    for i in ranked:
        if len(chosen) == SHOWN:
            break
        # "sound", "track" and "sound track" are one finding.
        if not any(set(names[i].split()) & set(phrase.phrase.split()) for phrase in chosen):
            rates = (round(1000 * float(side[i]) / max(1, words), 2) for side, words in sides)
            chosen.append(Phrase(str(names[i]), round(float(scores[i]), 2), *rates))
    return chosen


def log_odds(current: NDArray[Any], reference: NDArray[Any]) -> NDArray[np.float64]:
    """Return each phrase's z-score (equations 16, 19, 20 and 22 of the paper); over 0 it is current's."""
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
    """Return different texts, a sample when there are many, cut to a length that counting can bear."""
    unique = list(dict.fromkeys(text[:MOST_CHARACTERS] for text in texts))
    if len(unique) <= MOST_TEXTS:
        return unique
    chosen = np.random.default_rng(0).choice(len(unique), MOST_TEXTS, replace=False)
    return [unique[i] for i in chosen]
