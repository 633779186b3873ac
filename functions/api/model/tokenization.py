"""From text to token ids: cleaning and truncation, as the card specifies them.

Training implements the same steps separately (the artifact is the contract, no code is shared); a test checks
that both produce the same ids.
"""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from tokenizers import Tokenizer

Truncation = Literal["head", "head_tail"]
CleaningStep = Literal["html_breaks"]
HTML_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)


class TokenizedText(NamedTuple):
    """The input of one forward pass, and the position of each token in the text."""

    ids: list[int]  # special tokens included, at most max_length
    text_ids: list[int]  # those of the whole text
    offsets: list[tuple[int, int]]  # half-open character ranges, one per text id; (0, 0) for special tokens
    kept: list[int]  # the position in `text_ids` of each of `ids`
    unknown: int | None  # of those, how many are unknown; None if the vocabulary covers every text

    @property
    def tokens(self) -> int:
        """Return the number of tokens before truncation, special tokens included."""
        return len(self.text_ids)

    @property
    def truncated(self) -> bool:
        """Return whether the model reads less than the whole text."""
        return self.tokens > len(self.ids)


def clean(text: str, steps: Sequence[CleaningStep]) -> str:
    """Apply the card's cleaning steps; they keep the length, so character offsets stay valid."""
    if "html_breaks" in steps:
        text = HTML_BREAK.sub(lambda match: " " * len(match.group()), text)
    return text


def kept_positions(tokens: int, max_length: int, truncation: Truncation) -> list[int]:
    """List the positions of the tokens to keep, always including the first and last (special) ones.

    `head_tail` fills a quarter of the room from the start and three quarters from the end (Sun et al. 2019,
    "How to Fine-Tune BERT for Text Classification?").
    """
    if tokens <= max_length:
        return list(range(tokens))
    room = max_length - 2
    head = room if truncation == "head" else room // 4
    tail = room - head
    return [*range(head + 1), *range(tokens - 1 - tail, tokens)]


def unknown_id(tokenizer: Tokenizer) -> int | None:
    """Return the id of the unknown token; byte-level vocabularies have none."""
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
    """Tokenize a text and count the tokens with the id `unknown`."""
    encoding = tokenizer.encode(clean(text, steps))
    ids = encoding.ids  # a property that copies: read it once
    kept = kept_positions(len(ids), max_length, truncation)
    counted = None if unknown is None else ids.count(unknown)
    return TokenizedText([ids[i] for i in kept], ids, encoding.offsets, kept, counted)
