"""Shifts of the traffic, made of real reviews, to measure and demonstrate the drift monitor.

Each shift names the verdict that should detect it. Predictions are not made here: how far they shift depends
on the model that classifies the texts.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from local.reviews import Review
from training.config import configure
from training.data.sources import read

CUT_CHARACTERS = 200
MIX = 0.8  # share of the alphabetically first label, which is negative
EMPTY_MARKUP = ("<br />", "<div></div>", "<p></p>", "<span></span>", "<div><br /></div>")
GERMAN = Path(__file__).with_name("german_reviews.txt")
LENGTHS = frozenset({"characters", "words", "tokens", "truncated"})

Make = Callable[[Sequence[Review], int, random.Random], list[Review]]


@dataclass(frozen=True)
class Shift:
    """A shift, the verdict that should detect it, and the features that may have the largest effect."""

    name: str
    description: str
    verdict: str
    top_features: frozenset[str]
    make: Make  # makes a number of shifted rows from a pool of unshifted ones

    def window(
        self, pool: Sequence[Review], size: int, generator: random.Random, *, strength: float = 1.0
    ) -> list[Review]:
        """Draw a window from the pool, with this share of its rows shifted."""
        shifted = round(strength * size)
        return self.make(pool, shifted, generator) + draw(pool, size - shifted, generator)


def draw(pool: Sequence[Review], count: int, generator: random.Random) -> list[Review]:
    """Draw reviews at random, without replacement if the pool is large enough."""
    if count <= len(pool):
        return generator.sample(pool, count)
    return generator.choices(pool, k=count)


def rotten_tomatoes(_: Sequence[Review], count: int, generator: random.Random) -> list[Review]:
    """Draw one-line reviews in lower case, by critics of another site."""
    return draw(_lines(), count, generator)


def label_mix(pool: Sequence[Review], count: int, generator: random.Random) -> list[Review]:
    """Draw reviews of which 80% have the same label."""
    label = min(review.label for review in pool)
    majority = [review for review in pool if review.label == label]
    others = [review for review in pool if review.label != label]
    majority_rows = round(MIX * count)
    return draw(majority, majority_rows, generator) + draw(others, count - majority_rows, generator)


def cut_short(pool: Sequence[Review], count: int, generator: random.Random) -> list[Review]:
    """Keep the beginning, as when an upstream column is too narrow."""
    return [Review(review.text[:CUT_CHARACTERS], review.label) for review in draw(pool, count, generator)]


def another_language(pool: Sequence[Review], count: int, generator: random.Random) -> list[Review]:
    """Replace each text with German sentences from reviews, of the same length."""

    def german(characters: int) -> str:
        sentences: list[str] = []
        while sum(map(len, sentences)) < characters:
            sentences += generator.sample(_sentences(), len(_sentences()))
        return " ".join(sentences)[:characters]

    return [Review(german(len(review.text)), review.label) for review in draw(pool, count, generator)]


def broken_markup(pool: Sequence[Review], count: int, generator: random.Random) -> list[Review]:
    """Replace each text with tags without content, as when a scraper does not fit a changed page."""
    return [
        Review("".join(generator.choices(EMPTY_MARKUP, k=generator.randint(2, 4))), review.label)
        for review in draw(pool, count, generator)
    ]


@cache
def _lines() -> list[Review]:
    table = read(configure(source="rotten_tomatoes"))
    names = table.label_names or ()
    return [
        Review(text.strip(), names[int(label)])
        for text, label in zip(table.texts, table.labels, strict=True)
        if text.strip()
    ]


@cache
def _sentences() -> list[str]:
    return GERMAN.read_text(encoding="utf-8").splitlines()


SHIFTS = {
    shift.name: shift
    for shift in (
        Shift(
            "rotten_tomatoes",
            "one-line reviews from another site",
            "data_drift",
            LENGTHS | {"text"},
            rotten_tomatoes,
        ),
        Shift(
            "label_mix", "80 of 100 reviews negative", "prediction_drift", frozenset({"sentiment"}), label_mix
        ),
        Shift("cut_short", f"texts cut to {CUT_CHARACTERS} characters", "data_drift", LENGTHS, cut_short),
        Shift("another_language", "German reviews", "data_drift", frozenset({"language"}), another_language),
        Shift("broken_markup", "empty markup", "data_drift", LENGTHS | {"language"}, broken_markup),
    )
}
