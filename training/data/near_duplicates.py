"""Whether a text equals or nearly equals one of many, so that no model is measured on what it was trained on.

Texts are compared as runs of three words (Broder 1997, "On the resemblance and containment of documents"),
whatever their case and punctuation. Two nearly equal each other when they share four fifths of the shorter
one's runs: so do a review and one with a word changed, and a review and a piece cut out of it. Texts under
ten words must be equal, because a few words in a row are anybody's.
"""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.text import clean

SHARED = 0.8
FEWEST_RUNS = 8
_WORD = re.compile(r"\w+")


def normalized(text: str) -> str:
    """Return the text by which copies are found: line breaks, spaces and case make no difference."""
    return " ".join(clean(text).split()).casefold()


class HeldOutTexts:
    """Texts that nothing to train on may repeat: an index from runs of words to those that hold them."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._exact = {normalized(text) for text in texts}
        runs = [_runs(text) for text in texts]
        self._sizes = np.array([len(of_text) for of_text in runs], np.int64)
        owners = np.repeat(np.arange(len(runs)), self._sizes)
        every = np.concatenate([np.empty(0, np.int64), *runs])
        order = np.argsort(every, kind="stable")
        self._runs, self._owners = every[order], owners[order]

    def repeated_by(self, text: str) -> bool:
        """Tell whether the text equals or nearly equals one of these."""
        if normalized(text) in self._exact:
            return True
        runs = _runs(text)
        if len(runs) < FEWEST_RUNS:
            return False
        begins = np.searchsorted(self._runs, runs, "left")
        counts = np.searchsorted(self._runs, runs, "right") - begins
        # The places begin, begin + 1, … of every run, one after the other.
        places = np.repeat(begins - (counts.cumsum() - counts), counts) + np.arange(counts.sum())
        shared = np.bincount(self._owners[places], minlength=len(self._sizes))
        shorter = np.minimum(self._sizes, len(runs))
        return bool(np.any((shorter >= FEWEST_RUNS) & (shared >= SHARED * shorter)))


def _runs(text: str) -> NDArray[np.int64]:
    """Return a number for each different run of three words, of 64 bits, so that hardly any two collide."""
    words = _WORD.findall(clean(text).casefold())
    runs = {hash(run) for run in zip(words, words[1:], words[2:], strict=False)}
    return np.fromiter(runs, np.int64, len(runs))
