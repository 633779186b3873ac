"""Training and serving share no code and tokenize every text to the same ids."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from functions.api.model.tokenization import tokenize
from training.finetune.model import backend_tokenizer, load_embedded_tokenizer
from training.text import CLEANING, TRUNCATIONS, Truncation, encode, encode_batch

TOKENIZER: Tokenizer = backend_tokenizer(load_embedded_tokenizer())
REVIEW = "The plot<br /><br/>drags, the <BR>cast doesn't; naïve 映画 …and 🎬 " * 40
# Words, breaks in every spelling, and whatever else Unicode has.
PIECES = st.one_of(
    st.sampled_from(["good ", "film", "<br />", "<BR>", "<br\t/>", "<br", " "]), st.text(max_size=8)
)


@pytest.mark.parametrize("truncation", TRUNCATIONS)
@pytest.mark.parametrize("max_length", [8, 9, 64, 256, 512])
def test_a_long_review_gives_the_same_ids(truncation: Truncation, max_length: int) -> None:
    trained = encode(TOKENIZER, REVIEW, max_length, truncation)
    served = tokenize(TOKENIZER, REVIEW, max_length=max_length, truncation=truncation, steps=list(CLEANING))
    assert served.ids == trained
    assert len(trained) == max_length
    assert served.truncated


@settings(deadline=None, max_examples=200)
@given(
    text=st.lists(PIECES, max_size=40).map("".join),
    max_length=st.integers(3, 40),
    truncation=st.sampled_from(TRUNCATIONS),
)
def test_any_text_gives_the_same_ids(text: str, max_length: int, truncation: Truncation) -> None:
    served = tokenize(TOKENIZER, text, max_length=max_length, truncation=truncation, steps=list(CLEANING))
    assert served.ids == encode(TOKENIZER, text, max_length, truncation)
    assert [served.ids] == encode_batch(TOKENIZER, [text], max_length, truncation)
