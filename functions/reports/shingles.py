"""Near-duplicate texts: the Jaccard similarity of their three-word shingles (Broder 1997).

Pure Python for a few thousand texts at most. Texts are compared through an index of their shingles, so most
pairs are never compared. The caller decides which similarity is enough.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import chain

SHINGLE_WORDS = 3
_WORD = re.compile(r"\w+")

Shingles = frozenset[int]


def shingles_of(text: str) -> Shingles:
    """Return a hash for each run of three words of the text, or one for the whole of a shorter text.

    Case and punctuation are ignored. Hashes of 64 bits rarely collide and take half the memory of tuples.
    """
    words = _WORD.findall(text.casefold()) or [text.strip()]
    if len(words) <= SHINGLE_WORDS:
        return frozenset([hash(tuple(words))])
    return frozenset(map(hash, zip(words, words[1:], words[2:], strict=False)))


class ShingleIndex:
    """An index of texts that finds those similar to a given one."""

    def __init__(self) -> None:
        self._texts: list[Shingles] = []
        self._by_shingle: dict[int, list[int]] = defaultdict(list)

    def add(self, shingles: Shingles) -> None:
        """Add a text; they are numbered from 0."""
        for shingle in shingles:
            self._by_shingle[shingle].append(len(self._texts))
        self._texts.append(shingles)

    def similar(self, shingles: Shingles, minimum: float) -> Iterator[tuple[int, float]]:
        """Yield number and similarity (0 to 1) of every text that is at least `minimum` similar."""
        shared = Counter(
            chain.from_iterable(self._by_shingle[shingle] for shingle in shingles & self._by_shingle.keys())
        )
        for number, count in shared.items():
            similarity = count / (len(shingles) + len(self._texts[number]) - count)
            if similarity >= minimum:
                yield number, similarity
