"""A labeled text, as the demo, the drift lab and the benchmarks use it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Review:
    """A text and its true label."""

    text: str
    label: str
