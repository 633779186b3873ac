"""From text to the token ids the model was trained on: cleaning and truncation, as the card records them.

Training implements the same two steps on its own side (the artifact is the contract, no code is shared); one
test proves that both give the same ids. Nothing here loads a model or a tokenizer file.
"""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from tokenizers import Tokenizer

Truncation = Literal["head", "head_tail"]
CleaningStep = Literal["html_breaks"]
HTML_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)


class TokenizedText(NamedTuple):
    """What one forward pass reads, and where each token stands in the text it came from."""

    ids: list[int]  # special tokens included, at most max_length
    offsets: list[tuple[int, int]]  # half-open character ranges, one per id; (0, 0) for special tokens
    tokens: int  # before truncation, special tokens included
    unknown: int | None  # of those, how many the vocabulary cannot spell; None when it can spell every text

    @property
    def truncated(self) -> bool:
        """Say whether the model reads less than the whole text."""
        return self.tokens > len(self.ids)


def clean(text: str, steps: Sequence[CleaningStep]) -> str:
    """Apply the card's cleaning steps; every step keeps the length, so character offsets stay valid."""
    if "html_breaks" in steps:
        text = HTML_BREAK.sub(lambda match: " " * len(match.group()), text)
    return text


def kept_positions(tokens: int, max_length: int, truncation: Truncation) -> list[int]:
    """List the positions of the tokens to keep, first and last (the special ones) always included.

    `head_tail` keeps the first quarter of the room and the last three quarters (Sun et al. 2019, "How to
    Fine-Tune BERT for Text Classification?").
    """
    if tokens <= max_length:
        return list(range(tokens))
    room = max_length - 2
    head = room if truncation == "head" else room // 4
    tail = room - head
    return [*range(head + 1), *range(tokens - 1 - tail, tokens)]


def unknown_id(tokenizer: Tokenizer) -> int | None:
    """Return the id that stands for what the vocabulary cannot spell; byte-level vocabularies have none."""
    token = getattr(tokenizer.model, "unk_token", None)
    return None if token is None else tokenizer.token_to_id(token)


def tokenize(
    tokenizer: Tokenizer,
    text: str,
    *,
    max_length: int,
    truncation: Truncation,
    steps: Sequence[CleaningStep],
    unknown: int | None = None,
) -> TokenizedText:
    """Turn a text into the ids the model reads, counting `unknown`; a pure function of its arguments."""
    encoding = tokenizer.encode(clean(text, steps))
    tokens = len(encoding.ids)
    ids, offsets = encoding.ids, encoding.offsets  # each property copies: read it once
    kept = kept_positions(tokens, max_length, truncation)
    counted = None if unknown is None else ids.count(unknown)
    return TokenizedText([ids[i] for i in kept], [offsets[i] for i in kept], tokens, counted)
