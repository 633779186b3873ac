"""Guesses the language of texts from how they begin. A guess is enough: only its shares are compared.

Rare languages are one, `other`, as is whatever the guesser is not sure of (a word or two fit many languages):
a handful of wrong guesses must not look like new languages. Markup is no language, and neither are digits.
"""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

CHARACTERS = 300  # enough to be right nearly always, and it bounds the time that long texts take
UNSURE = 0.3
OTHER, NONE = "other", "none"
MARKUP = re.compile(r"<[^<>]*>")
LETTER = re.compile(r"[^\W\d_]")
# The languages that most of the web is written in (w3techs.com/technologies/overview/content_language).
FREQUENT = frozenset({"ar", "de", "en", "es", "fr", "it", "ja", "nl", "pl", "pt", "ru", "tr", "zh"})


def guess_languages(texts: Iterable[str]) -> list[str]:
    """Return for each text the ISO 639-1 code of a frequent language, `other`, or `none` without letters."""
    return [_guess(text) for text in texts]


def _guess(text: str) -> str:
    beginning = MARKUP.sub(" ", text[: 4 * CHARACTERS])[:CHARACTERS]
    if not LETTER.search(beginning):
        return NONE
    code, probability = _identifier().classify(beginning)
    return code if code in FREQUENT and probability >= UNSURE else OTHER


@cache
def _identifier() -> Any:
    """Load py3langid's model, which takes a second, when the first text is looked at."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
