"""Find near-duplicates of held-out texts, so that no model is tested on what it was trained on.

Texts are compared by their shingles, runs of three words (Broder 1997, "On the resemblance and containment of
documents"), ignoring case and punctuation. Two texts are near-duplicates when they share four fifths of the
shorter one's shingles: a review and the same with one word changed, or a review and an excerpt. Texts under
ten words must be equal, because short runs of words are common.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.text import clean

MIN_SHARED = 0.8
MIN_SHINGLES = 8


def normalized(text: str) -> str:
    """Return the text without differences in line breaks, spaces and case, to find duplicates."""
    return " ".join(clean(text).split()).casefold()


class HeldOutTexts:
    """An index of held-out texts by shingle, to keep near-duplicates out of the training rows."""

    def __init__(self, texts: Sequence[str]) -> None:
        shingles = [_shingles(text) for text in texts]
        self._short = {  # longer texts that are equal also share their shingles
            normalized(text)
            for text, of_text in zip(texts, shingles, strict=True)
            if len(of_text) < MIN_SHINGLES
        }
        long = sorted((one for one in shingles if len(one) >= MIN_SHINGLES), key=len, reverse=True)
        self._sizes = np.array([len(of_text) for of_text in long], np.int64)
        owners = np.repeat(np.arange(len(long)), self._sizes)
        every = np.concatenate([np.empty(0, np.int64), *long])
        order = np.argsort(every, kind="stable")
        self._shingles, self._owners = every[order], owners[order]
        # The size of the smallest text with a shingle that ends in these bits: the last one assigned.
        self._last_bits = (1 << (8 * len(every)).bit_length()) - 1
        self._smallest = np.zeros(self._last_bits + 1, np.int32)
        self._smallest[every & self._last_bits] = self._sizes[owners]

    def has_near_duplicate(self, text: str) -> bool:
        """Return whether the text equals or nearly equals a held-out text."""
        shingles = _shingles(text)
        if len(shingles) < MIN_SHINGLES:
            return normalized(text) in self._short
        smallest = self._smallest[shingles & self._last_bits]
        known = smallest > 0
        # Rule most texts out: a held-out text of n shingles only has those that occur in texts of up to n.
        sizes = np.sort(smallest[known])
        if not _is_enough(np.arange(1, len(sizes) + 1), sizes, len(shingles)):
            return False
        return _is_enough(self._shared(shingles[known]), self._sizes, len(shingles))

    def _shared(self, shingles: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many of the shingles each held-out text has."""
        begins = np.searchsorted(self._shingles, shingles, "left")
        counts = np.searchsorted(self._shingles, shingles, "right") - begins
        # The positions begin, begin + 1, … of every shingle, one after the other.
        positions = np.repeat(begins - (counts.cumsum() - counts), counts) + np.arange(counts.sum())
        return np.bincount(self._owners[positions], minlength=len(self._sizes))


def _is_enough(shared: NDArray[np.int64], sizes: NDArray[np.integer], size: int) -> bool:
    """Return whether a text of `size` shingles shares enough with any of those of `sizes`."""
    return bool((shared >= MIN_SHARED * np.minimum(sizes, size)).any())


class _WordCharacters(dict[int, str]):
    r"""A table for str.translate that keeps what `\w` matches and replaces the rest by spaces."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        self[code] = character if character.isalnum() or character == "_" else " "
        return self[code]


_WORD_CHARACTERS = _WordCharacters()


def _shingles(text: str) -> NDArray[np.int64]:
    """Return a 64-bit hash of each distinct shingle; collisions are negligible."""
    words = clean(text).casefold().translate(_WORD_CHARACTERS).split()  # twice as fast as a pattern
    hashes = np.fromiter(map(hash, words), np.int64, len(words))
    shingles = hashes[:-2] * 3 + hashes[1:-1] * 5 + hashes[2:]
    shingles.sort()
    distinct = np.ones(len(shingles), bool)
    distinct[1:] = shingles[1:] != shingles[:-1]
    return shingles[distinct]
