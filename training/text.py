"""Turn a text into the token ids that the model reads.

Serving has its own implementation; `tests/test_same_ids.py` proves that both give the same ids. Nothing here
pads: batches are padded where they are built.
"""

import re
from collections.abc import Sequence
from typing import Literal

from tokenizers import Tokenizer

Truncation = Literal["head", "head_tail"]
TRUNCATIONS: tuple[Truncation, ...] = ("head", "head_tail")
CLEANING = ("html_breaks",)

_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)


def clean(text: str) -> str:
    """Replace every HTML line break with as many spaces, so that character offsets do not change."""
    return _BREAK.sub(lambda found: " " * len(found[0]), text)


def encode(tokenizer: Tokenizer, text: str, max_length: int, truncation: Truncation) -> list[int]:
    """Encode one text with its special tokens, at most `max_length` ids.

    The tokenizer must neither pad nor truncate, and add one special token on each side.
    """
    return truncate(tokenizer.encode(clean(text)).ids, max_length, truncation)


def encode_batch(
    tokenizer: Tokenizer, texts: Sequence[str], max_length: int, truncation: Truncation
) -> list[list[int]]:
    """Encode texts as `encode` does, on all cores."""
    return [truncate(ids, max_length, truncation) for ids in encode_whole(tokenizer, texts)]


def encode_whole(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Encode texts with their special tokens, without truncation, on all cores."""
    return [encoding.ids for encoding in tokenizer.encode_batch([clean(text) for text in texts])]


def unknown_id(tokenizer: Tokenizer) -> int | None:
    """Return the id of the unknown token; None if the vocabulary covers every text."""
    token = getattr(tokenizer.model, "unk_token", None)
    return None if token is None else tokenizer.token_to_id(token)


def truncate(ids: list[int], max_length: int, truncation: Truncation) -> list[int]:
    """Cut ids to `max_length`, keeping the special token at each end.

    `head` keeps the first tokens, `head_tail` the first quarter and the last three quarters: Sun et al. 2019,
    "How to Fine-Tune BERT for Text Classification?", section 5.3.1 (128 head and 382 tail tokens of 510).
    """
    if len(ids) <= max_length:
        return ids
    room = max_length - 2
    head = room if truncation == "head" else room // 4
    tail = room - head
    content = ids[1:-1]
    return [ids[0], *content[:head], *content[len(content) - tail :], ids[-1]]
