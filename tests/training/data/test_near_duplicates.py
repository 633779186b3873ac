"""The index finds the held-out texts that share four fifths of the shorter one's shingles, as defined."""

import random
import re

import pytest

from training.data.near_duplicates import HeldOutTexts, normalized

TEN_WORDS = "one two three four five six seven eight nine ten"
KOREAN = "이 영화는 정말 재미있고, 배우들의 연기도 아주 훌륭해서 친구들과 다시 보고 싶은 작품입니다"


def shingles(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.casefold())
    return set(zip(words, words[1:], words[2:], strict=False))


def nearly_equal(one: str, other: str) -> bool:
    a, b = shingles(one), shingles(other)
    shorter = min(len(a), len(b))
    return normalized(one) == normalized(other) or (shorter >= 8 and len(a & b) >= 0.8 * shorter)


def written(rng: random.Random) -> str:
    """Return a text of few different words, so that it has shingles in common with others and itself."""
    return " ".join(rng.choices("abcdeé好५_", k=rng.randrange(60)))


def edited(text: str, rng: random.Random) -> str:
    """Return a piece of the text with some words changed and some written behind it."""
    begin = rng.randrange(10)
    words = [word if rng.random() > 0.03 else "-" for word in text.split()[begin : begin + rng.randrange(60)]]
    return " ".join([*words, *written(rng).split()[: rng.randrange(10)]])


@pytest.mark.parametrize("seed", range(10))
def test_near_duplicates_are_found_as_defined(seed: int) -> None:
    rng = random.Random(seed)
    held_out = [written(rng) for _ in range(20)]
    texts = [edited(rng.choice(held_out), rng) for _ in range(200)]
    expected = [any(nearly_equal(text, one) for one in held_out) for text in texts]
    index = HeldOutTexts(held_out)
    assert 50 < sum(expected) < 150, "some are near-duplicates and some are not"
    assert [index.has_near_duplicate(text) for text in texts] == expected


@pytest.mark.parametrize("text", ["", "...", "word", "one two", "one two three", TEN_WORDS, KOREAN, "好看"])
def test_every_text_equals_itself_in_any_case(text: str) -> None:
    held_out = HeldOutTexts(["another", text])
    assert held_out.has_near_duplicate(f" {text.upper()}<br />")
    assert not HeldOutTexts([]).has_near_duplicate(text)


def test_a_text_under_ten_words_must_be_equal() -> None:
    assert not HeldOutTexts([TEN_WORDS[:-4]]).has_near_duplicate(f"{TEN_WORDS[:-4]}!")
    assert HeldOutTexts([TEN_WORDS]).has_near_duplicate(f"{TEN_WORDS}!")


@pytest.mark.parametrize("text", [KOREAN, "naïve_1 " + TEN_WORDS])
def test_punctuation_does_not_count_in_any_script(text: str) -> None:
    punctuated = " — ".join(text.replace(",", "").split()) + "…"
    assert HeldOutTexts([text]).has_near_duplicate(punctuated)


def test_an_excerpt_is_found_in_a_longer_text_and_the_other_way_around() -> None:
    review = " ".join(f"word{n}" for n in range(200))
    excerpt = " ".join(review.split()[50:70])
    others = [" ".join(f"other{n}" for n in range(start, start + 30)) for start in range(50)]
    assert HeldOutTexts([*others, review]).has_near_duplicate(excerpt)
    assert HeldOutTexts([*others, excerpt]).has_near_duplicate(review)
    assert not HeldOutTexts(others).has_near_duplicate(review)
