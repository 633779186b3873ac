"""A labelled text, as the demonstration, the drift lab and the benchmarks pass it on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Review:
    """A held-out review and the label that people gave it."""

    text: str
    label: str
