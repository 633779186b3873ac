"""Cleaning keeps character offsets; truncation keeps the expected ends."""

import pytest
from tokenizers import Tokenizer, models

from training.finetune.model import backend_tokenizer, load_embedded_tokenizer
from training.text import clean, encode, encode_batch, truncate, unknown_id

IDS = [101, *range(1, 21), 102]  # 20 content tokens


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return backend_tokenizer(load_embedded_tokenizer())


@pytest.mark.parametrize("spelling", ["<br>", "<br/>", "<br />", "<BR\t/>", "<Br  >"])
def test_breaks_become_spaces_of_the_same_length(spelling: str) -> None:
    assert clean(f"one{spelling}two") == "one" + " " * len(spelling) + "two"


@pytest.mark.parametrize("text", ["<b>bold</b>", "a < br", "<break>", "plain", ""])
def test_everything_else_stays(text: str) -> None:
    assert clean(text) == text


def test_a_text_that_fits_is_not_truncated() -> None:
    assert truncate(IDS, 22, "head") == IDS
    assert truncate(IDS, 22, "head_tail") == IDS


def test_head_keeps_the_first_tokens() -> None:
    assert truncate(IDS, 10, "head") == [101, 1, 2, 3, 4, 5, 6, 7, 8, 102]


def test_head_tail_keeps_a_quarter_from_the_start_and_the_rest_from_the_end() -> None:
    assert truncate(IDS, 10, "head_tail") == [101, 1, 2, 15, 16, 17, 18, 19, 20, 102]


def test_encoding_cleans_and_truncates_and_a_batch_is_not_padded(tokenizer: Tokenizer) -> None:
    long, short = "bad<br />film " * 9, "good"
    assert encode(tokenizer, long, 6, "head") == encode(tokenizer, "bad film " * 9, 6, "head")
    assert encode_batch(tokenizer, [long, short], 6, "head_tail") == [
        encode(tokenizer, long, 6, "head_tail"),
        [101, 2204, 102],
    ]


def test_the_unknown_token_is_the_vocabularys_own(tokenizer: Tokenizer) -> None:
    assert unknown_id(tokenizer) == tokenizer.token_to_id("[UNK]")
    assert unknown_id(Tokenizer(models.BPE({"<unk>": 0, "a": 1}, []))) is None
