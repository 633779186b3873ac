"""Prepare labelled texts for a run."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rows:
    """Texts and the index of each one's label, in the order of the data set's label names."""

    texts: list[str]
    labels: list[int]

    def __len__(self) -> int:
        return len(self.texts)
