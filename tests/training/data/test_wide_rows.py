"""The wide part reads the training rows and what `train_rows` left out, and nothing of a held-out text."""

from pathlib import Path

import pytest

from tests.training.data.reviews import write_csv
from training.config import configure
from training.data.near_duplicates import HeldOutTexts
from training.data.prepare import prepare
from training.data.rows import Dataset, Rows
from training.data.wide_rows import wide_rows

LONG = "a story about {} that goes on for many words before it comes to its end, which nobody expects at all"


def dataset(train: Rows, left_out: Rows) -> Dataset:
    held_out = Rows([LONG.format("a thief")], [0])
    return Dataset("reviews.csv", ["bad", "good"], train, held_out, Rows(["x"], [1]), {}, "", left_out)


def test_rows_that_were_left_out_follow_the_training_rows() -> None:
    rows = wide_rows(dataset(Rows(["a", "b"], [0, 1]), Rows(["c"], [1])))
    assert rows == Rows(["a", "b", "c"], [0, 1, 1])


def test_a_text_that_nearly_equals_a_held_out_one_stays_out() -> None:
    left_out = Rows(
        [LONG.format("a thief") + " today", "Nothing of this is in another text, so the wide part reads it."],
        [1, 1],
    )
    assert wide_rows(dataset(Rows(["a"], [0]), left_out)).texts == ["a", left_out.texts[1]]


def test_a_training_row_with_the_same_text_has_the_newer_label() -> None:
    rows = wide_rows(dataset(Rows(["a", "Same text"], [0, 0]), Rows(["same  text", "c"], [1, 1])))
    assert rows == Rows(["a", "Same text", "c"], [0, 0, 1])


def test_rows_that_were_left_out_weigh_as_much_as_the_average_one() -> None:
    rows = wide_rows(dataset(Rows(["a", "b"], [0, 1], [1.5, 0.5]), Rows(["c"], [1])))
    assert rows.weights == [1.5, 0.5, 1.0]


def test_of_too_many_rows_evenly_spaced_ones_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.data.wide_rows.MOST_ROWS", 4)
    texts, labels = [f"text {n}" for n in range(6)], [0, 1] * 3
    rows = wide_rows(dataset(Rows(texts, labels, [1.0] * 6), Rows(["y", "z"], [0, 1])))
    assert rows == Rows(["text 0", "text 2", "text 4", "y"], [0, 0, 0, 0], [1.0] * 4)


@pytest.mark.parametrize("streaming", [False, True])
def test_with_a_whole_data_set_every_row_is_read_once(tmp_path: Path, streaming: bool) -> None:
    reviews = [
        (LONG.format(f"{n} {n * n} {n**3} {n + 7} {n**2 + 1}"), ("bad", "good")[n % 2]) for n in range(60)
    ]
    options = {"data": write_csv(tmp_path / "reviews.csv", reviews), "artifacts": tmp_path}
    data = prepare(configure(**options, streaming=streaming, train_rows=10))
    rows = wide_rows(data)
    held_out = HeldOutTexts([*data.validation.texts, *data.test.texts])
    left = 0 if streaming else sum(not held_out.has_near_duplicate(text) for text in data.left_out.texts)
    assert len(rows) == len(set(rows.texts)) == len(data.train) + left
    assert not {*data.validation.texts, *data.test.texts} & set(rows.texts)
