"""Detects the language of texts from their first characters. It may err, because only shares are compared.

Rare languages and uncertain results (a word or two fit many languages) are `other`, so that a few errors do
not look like new languages. Markup and digits have no language.
"""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

CHARACTERS = 300  # almost always enough, and it bounds the time for long texts
MIN_PROBABILITY = 0.3
OTHER, NONE = "other", "none"
MARKUP = re.compile(r"<[^<>]*>")
LETTER = re.compile(r"[^\W\d_]")
# The languages that most of the web is written in (w3techs.com/technologies/overview/content_language).
FREQUENT = frozenset({"ar", "de", "en", "es", "fr", "it", "ja", "nl", "pl", "pt", "ru", "tr", "zh"})


def detect_languages(texts: Iterable[str]) -> list[str]:
    """Return for each text the ISO 639-1 code of a frequent language, `other`, or `none` without letters."""
    return [_detect(text) for text in texts]


def _detect(text: str) -> str:
    start = MARKUP.sub(" ", text[: 4 * CHARACTERS])[:CHARACTERS]
    if not LETTER.search(start):
        return NONE
    code, probability = _identifier().classify(start)
    return code if code in FREQUENT and probability >= MIN_PROBABILITY else OTHER


@cache
def _identifier() -> Any:
    """Load py3langid's model, which takes a second, on first use."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
