"""Ask a model the same thing in other words: changes of a text that should not change the answer, or should.

After Ribeiro et al. 2020, "Beyond Accuracy: Behavioral Testing of NLP Models with CheckList": a change that
leaves the meaning is an invariance test, and a negation that turns it a directional one.
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


def swap_letters(text: str, chance: random.Random) -> str:
    """Swap two neighbouring letters inside one word of ten, as hasty fingers do."""

    def spoilt(found: re.Match[str]) -> str:
        word = found[0]
        if chance.random() >= _TYPO_SHARE:
            return word
        place = chance.randrange(1, len(word) - 2)
        return f"{word[:place]}{word[place + 1]}{word[place]}{word[place + 2 :]}"

    return _WORD.sub(spoilt, text)


def add_emoji(text: str, chance: random.Random) -> str:
    """Put an emoji that says nothing of the film between two of its words."""
    words = text.split(" ")
    words.insert(chance.randrange(len(words) + 1), _EMOJI)
    return " ".join(words)


# What should not change an answer.
INVARIANCES: dict[str, Callable[[str, random.Random], str]] = {
    "letters swapped in one word of ten": swap_letters,
    "all in capitals": lambda text, _: text.upper(),
    "all in lower case": lambda text, _: text.lower(),
    "an emoji between two words": add_emoji,
}


def negations() -> Iterator[tuple[str, str, str]]:
    """Yield a plain sentence, the same one negated, and the label of the former; the latter has the other."""
    for label, words in (("positive", POSITIVE), ("negative", NEGATIVE)):
        for word in words:
            for plain, negated in zip(_SENTENCES, _NEGATED, strict=True):
                yield plain.format(word), negated.format(word), label
