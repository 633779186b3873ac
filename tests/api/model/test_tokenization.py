import pytest
from tokenizers import Tokenizer, models

from functions.api.model.artifact import Artifact
from functions.api.model.tokenization import clean, kept_positions, tokenize, unknown_id


def test_html_breaks_become_spaces_of_the_same_length() -> None:
    text = "One.<br />Two.<BR>Three.<br\t/>Four.<b>"
    assert clean(text, ["html_breaks"]) == "One.      Two.    Three.      Four.<b>"
    assert clean(text, []) == text


@pytest.mark.parametrize(
    ("truncation", "kept"),
    [("head", [0, 1, 2, 3, 4, 5, 6, 7, 8, 99]), ("head_tail", [0, 1, 2, 93, 94, 95, 96, 97, 98, 99])],
)
def test_a_quarter_is_kept_from_the_head_and_the_rest_from_the_tail(truncation: str, kept: list[int]) -> None:
    assert kept_positions(100, 10, truncation) == kept
    assert kept_positions(10, 10, truncation) == list(range(10))


def test_offsets_refer_to_the_original_text(artifact: Artifact) -> None:
    tokenizer = Tokenizer.from_str(artifact.tokenizer.decode())
    text = "Naïve<br />and 🎬 brilliant"
    read = tokenize(tokenizer, text, max_length=64, truncation="head", steps=["html_breaks"])
    assert [text[start:end] for start, end in read.offsets] == ["", "Naïve", "and", "🎬", "brilliant", ""]
    assert (read.tokens, read.truncated) == (6, False)


def test_unknown_tokens_are_counted_before_truncation(artifact: Artifact) -> None:
    tokenizer = Tokenizer.from_str(artifact.tokenizer.decode())
    assert unknown_id(tokenizer) == tokenizer.token_to_id("[UNK]")
    read = tokenize(
        tokenizer, "🎬 film " * 50, max_length=8, truncation="head", steps=[], unknown=unknown_id(tokenizer)
    )
    assert (read.unknown, read.tokens) == (50, 102)


def test_a_byte_level_vocabulary_has_no_unknown_tokens() -> None:
    """As RoBERTa's: `<unk>` is in its vocabulary, but no text is ever tokenized to it."""
    tokenizer = Tokenizer(models.BPE({"<unk>": 0, "a": 1}, []))
    assert unknown_id(tokenizer) is None
    read = tokenize(tokenizer, "a", max_length=8, truncation="head", steps=[], unknown=unknown_id(tokenizer))
    assert read.unknown is None
