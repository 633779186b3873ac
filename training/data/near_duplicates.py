"""Find near-duplicates of held-out texts, so that no model is tested on what it was trained on.

Texts are compared by their shingles, runs of three words (Broder 1997, "On the resemblance and containment of
documents"), ignoring case and punctuation. Two texts are near-duplicates when they share four fifths of the
shorter one's shingles: a review and the same with one word changed, or a review and an excerpt. Texts under
ten words must be equal, because short runs of words are common.
"""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.text import clean

MIN_SHARED = 0.8
MIN_SHINGLES = 8
_WORD = re.compile(r"\w+")


def normalized(text: str) -> str:
    """Return the text without differences in line breaks, spaces and case, to find duplicates."""
    return " ".join(clean(text).split()).casefold()


class HeldOutTexts:
    """An index of held-out texts by shingle, to keep near-duplicates out of the training rows."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._exact = {normalized(text) for text in texts}
        shingles = [_shingles(text) for text in texts]
        self._sizes = np.array([len(of_text) for of_text in shingles], np.int64)
        owners = np.repeat(np.arange(len(shingles)), self._sizes)
        every = np.concatenate([np.empty(0, np.int64), *shingles])
        order = np.argsort(every, kind="stable")
        self._shingles, self._owners = every[order], owners[order]

    def has_near_duplicate(self, text: str) -> bool:
        """Return whether the text equals or nearly equals a held-out text."""
        if normalized(text) in self._exact:
            return True
        shingles = _shingles(text)
        if len(shingles) < MIN_SHINGLES:
            return False
        begins = np.searchsorted(self._shingles, shingles, "left")
        counts = np.searchsorted(self._shingles, shingles, "right") - begins
        # The positions begin, begin + 1, … of every shingle, one after the other.
        positions = np.repeat(begins - (counts.cumsum() - counts), counts) + np.arange(counts.sum())
        shared = np.bincount(self._owners[positions], minlength=len(self._sizes))
        shorter = np.minimum(self._sizes, len(shingles))
        return bool(np.any((shorter >= MIN_SHINGLES) & (shared >= MIN_SHARED * shorter)))


def _shingles(text: str) -> NDArray[np.int64]:
    """Return a 64-bit hash of each distinct shingle; collisions are negligible."""
    words = _WORD.findall(clean(text).casefold())
    shingles = {hash(words) for words in zip(words, words[1:], words[2:], strict=False)}
    return np.fromiter(shingles, np.int64, len(shingles))
