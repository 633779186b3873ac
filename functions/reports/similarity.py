"""Whether two texts are nearly the same: the Jaccard similarity of their runs of three words (Broder 1997).

Pure Python over a few thousand texts at most; texts are compared through an index of their word runs, so most
pairs are never looked at. What counts as similar enough is the caller's to say.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator

RUN_WORDS = 3
_WORD = re.compile(r"\w+")

Runs = frozenset[tuple[str, ...]]


def runs_of(text: str) -> Runs:
    """Return the text's runs of three words, whatever its case and punctuation; all of a shorter text."""
    words = _WORD.findall(text.casefold()) or [text.strip()]
    ends = range(max(1, len(words) - RUN_WORDS + 1))
    return frozenset(tuple(words[start : start + RUN_WORDS]) for start in ends)


class Texts:
    """Texts that can be asked which of them are similar to another one."""

    def __init__(self) -> None:
        self._runs: list[Runs] = []
        self._with: dict[tuple[str, ...], list[int]] = defaultdict(list)

    def add(self, runs: Runs) -> None:
        """Add a text; they are numbered from 0."""
        for run in runs:
            self._with[run].append(len(self._runs))
        self._runs.append(runs)

    def similar(self, runs: Runs, minimum: float) -> Iterator[tuple[int, float]]:
        """Yield the number and the similarity, 0 to 1, of every text that is at least that similar."""
        shared = Counter(number for run in runs for number in self._with.get(run, ()))
        for number, count in shared.items():
            similarity = count / (len(runs) + len(self._runs[number]) - count)
            if similarity >= minimum:
                yield number, similarity
