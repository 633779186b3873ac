"""Whether two texts are nearly the same: the Jaccard similarity of their runs of three words (Broder 1997).

Pure Python over a few thousand texts at most; texts are compared through an index of their word runs, so most
pairs are never looked at. What counts as similar enough is the caller's to say.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import chain

RUN_WORDS = 3
_WORD = re.compile(r"\w+")

Runs = frozenset[int]


def runs_of(text: str) -> Runs:
    """Return a number for each of the text's runs of three words, or for the whole of a shorter text.

    Case and punctuation make no difference. Numbers of 64 bits hardly ever collide, and cost half of tuples.
    """
    words = _WORD.findall(text.casefold()) or [text.strip()]
    if len(words) <= RUN_WORDS:
        return frozenset([hash(tuple(words))])
    return frozenset(map(hash, zip(words, words[1:], words[2:], strict=False)))


class Texts:
    """Texts that can be asked which of them are similar to another one."""

    def __init__(self) -> None:
        self._runs: list[Runs] = []
        self._with: dict[int, list[int]] = defaultdict(list)

    def add(self, runs: Runs) -> None:
        """Add a text; they are numbered from 0."""
        for run in runs:
            self._with[run].append(len(self._runs))
        self._runs.append(runs)

    def similar(self, runs: Runs, minimum: float) -> Iterator[tuple[int, float]]:
        """Yield the number and the similarity, 0 to 1, of every text that is at least that similar."""
        shared = Counter(chain.from_iterable(self._with[run] for run in runs & self._with.keys()))
        for number, count in shared.items():
            similarity = count / (len(runs) + len(self._runs[number]) - count)
            if similarity >= minimum:
                yield number, similarity
