"""Ways in which traffic shifts, made of real reviews: what the drift monitor is measured and shown by.

Each says what a monitor should make of it. Nothing here classifies: the shifted texts go through whatever
model is served, whose answers then shift as far as that model lets them.
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
MIX = 0.8  # of the label that comes first in the alphabet: negative, of the reviews' two
EMPTY_MARKUP = ("<br />", "<div></div>", "<p></p>", "<span></span>", "<div><br /></div>")
GERMAN = Path(__file__).with_name("german_reviews.txt")
LENGTHS = frozenset({"characters", "words", "tokens", "truncated"})

Make = Callable[[Sequence[Review], int, random.Random], list[Review]]


@dataclass(frozen=True)
class Shift:
    """A kind of shift, the verdict it deserves, and the features of which one should be named first."""

    name: str
    what: str
    verdict: str
    top_features: frozenset[str]
    make: Make  # so many shifted rows from a pool of ordinary ones

    def window(
        self, pool: Sequence[Review], size: int, chance: random.Random, *, strength: float = 1.0
    ) -> list[Review]:
        """Draw a window of that size from the pool, that share of it shifted."""
        shifted = round(strength * size)
        return self.make(pool, shifted, chance) + draw(pool, size - shifted, chance)


def draw(pool: Sequence[Review], count: int, chance: random.Random) -> list[Review]:
    """Draw reviews at random, none twice unless the pool is too small."""
    if count <= len(pool):
        return chance.sample(pool, count)
    return chance.choices(pool, k=count)


def rotten_tomatoes(_: Sequence[Review], count: int, chance: random.Random) -> list[Review]:
    """Draw from another site's reviews: one line each, in lower case, by critics."""
    return draw(_lines(), count, chance)


def label_mix(pool: Sequence[Review], count: int, chance: random.Random) -> list[Review]:
    """Draw reviews of which four in five have the same label."""
    most = min(review.label for review in pool)
    alike = [review for review in pool if review.label == most]
    others = [review for review in pool if review.label != most]
    first = round(MIX * count)
    return draw(alike, first, chance) + draw(others, count - first, chance)


def cut_short(pool: Sequence[Review], count: int, chance: random.Random) -> list[Review]:
    """Keep the beginning, as an upstream does whose column became too narrow."""
    return [Review(review.text[:CUT_CHARACTERS], review.label) for review in draw(pool, count, chance)]


def another_language(pool: Sequence[Review], count: int, chance: random.Random) -> list[Review]:
    """Write as long, but German: sentences of reviews in random order."""

    def german(characters: int) -> str:
        sentences: list[str] = []
        while sum(map(len, sentences)) < characters:
            sentences += chance.sample(_sentences(), len(_sentences()))
        return " ".join(sentences)[:characters]

    return [Review(german(len(review.text)), review.label) for review in draw(pool, count, chance)]


def broken_markup(pool: Sequence[Review], count: int, chance: random.Random) -> list[Review]:
    """Send tags without content, as a scraper does when the page it reads has changed."""
    return [
        Review("".join(chance.choices(EMPTY_MARKUP, k=chance.randint(2, 4))), review.label)
        for review in draw(pool, count, chance)
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
