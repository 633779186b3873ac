"""Behavioral tests: perturbations of a text that should keep the prediction, or flip it.

After Ribeiro et al. 2020, "Beyond Accuracy: Behavioral Testing of NLP Models with CheckList": invariance
tests keep the meaning of a text, and a negation is a directional test.
"""

import random
import re
from collections.abc import Callable, Iterator

_WORD = re.compile(r"[A-Za-z]{4,}")
_TYPO_SHARE = 0.1  # of the words of four letters or more
_EMOJI = "\N{CLAPPER BOARD}"

POSITIVE = ("good", "great", "wonderful", "moving", "brilliant", "funny", "charming", "convincing")
NEGATIVE = ("bad", "awful", "terrible", "boring", "stupid", "dull", "painful", "unconvincing")
_SENTENCES = ("The film is {}.", "The acting is {}.", "I found it {}.")
_NEGATED = ("The film is not {}.", "The acting is not {} at all.", "I did not find it {}.")
POLAR = {"negative", "positive"}


def swap_letters(text: str, rng: random.Random) -> str:
    """Swap two neighboring letters inside one word of ten, as typos do."""

    def misspelled(found: re.Match[str]) -> str:
        word = found[0]
        if rng.random() >= _TYPO_SHARE:
            return word
        place = rng.randrange(1, len(word) - 2)
        return f"{word[:place]}{word[place + 1]}{word[place]}{word[place + 2 :]}"

    return _WORD.sub(misspelled, text)


def add_emoji(text: str, rng: random.Random) -> str:
    """Insert a neutral emoji between two words."""
    words = text.split(" ")
    words.insert(rng.randrange(len(words) + 1), _EMOJI)
    return " ".join(words)


# Perturbations that should not change the prediction.
INVARIANCES: dict[str, Callable[[str, random.Random], str]] = {
    "letters swapped in one word of ten": swap_letters,
    "all in capitals": lambda text, _: text.upper(),
    "all in lower case": lambda text, _: text.lower(),
    "an emoji between two words": add_emoji,
}


def negations() -> Iterator[tuple[str, str, str]]:
    """Yield a sentence, its negation, and the label of the former; the negation has the other label."""
    for label, words in (("positive", POSITIVE), ("negative", NEGATIVE)):
        for word in words:
            for plain, negated in zip(_SENTENCES, _NEGATED, strict=True):
                yield plain.format(word), negated.format(word), label
