"""Rows of another file join the training rows alone, unless a held-out text says nearly the same."""

import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.training.data.reviews import write_csv
from training.__main__ import main
from training.config import configure
from training.data.prepare import prepare
from training.data.rows import Dataset
from training.errors import ConfigError, DataError
from training.record import TrainingRecord
from training.run_key import run_key

WORDS = ("film", "story", "cast", "music", "script", "pace", "was", "felt", "so", "very", "warm", "dim", "it")
REVIEWS = [
    (f"review {n} {' '.join(random.Random(n).choices(WORDS, k=20))}", ("bad", "good")[n % 2])
    for n in range(60)
]


def with_extra(tmp_path: Path, extra: list[tuple[Any, ...]], **options: Any) -> Dataset:
    data = write_csv(tmp_path / "reviews.csv", REVIEWS)
    more = Path(write_csv(tmp_path / "feedback.csv", extra))
    return prepare(configure(data=data, extra_data=(more,), **options))


def test_extra_rows_are_only_in_the_training_rows(tmp_path: Path) -> None:
    alone = prepare(configure(data=write_csv(tmp_path / "reviews.csv", REVIEWS)))
    extra = [(f"what number {n} said of it", "good") for n in range(5)]
    data = with_extra(tmp_path, extra)
    assert (data.validation, data.test) == (alone.validation, alone.test)
    assert data.train.texts == alone.train.texts + [text for text, _ in extra]
    assert data.sources == {"reviews.csv": len(alone.train), "feedback.csv": 5}
    assert data.dropped == alone.dropped
    assert alone.sources == {"reviews.csv": len(alone.train)}


def test_extra_rows_do_not_count_towards_train_rows(tmp_path: Path) -> None:
    data = with_extra(tmp_path, [(f"number {n}", "bad") for n in range(5)], train_rows=10)
    assert data.sources == {"reviews.csv": 10, "feedback.csv": 5}


@pytest.mark.parametrize("part", ["validation", "test"])
def test_an_extra_row_that_nearly_equals_a_held_out_text_is_dropped(tmp_path: Path, part: str) -> None:
    alone = prepare(configure(data=write_csv(tmp_path / "reviews.csv", REVIEWS)))
    held_out = getattr(alone, part).texts[0]
    words = held_out.split()
    leaks = [
        held_out,
        f"<br />{held_out.upper()}  ",
        held_out.replace(" ", ", ") + "!!!",  # other punctuation
        " ".join(words[:-1]) + " back",  # a word changed
        " ".join(words[4:]),  # a piece cut out of it
        f"{held_out}. And then we never did again, to be honest with you.",  # and more written behind it
    ]
    data = with_extra(tmp_path, [(leak, "good") for leak in leaks])
    assert data.dropped == {"known": 1, "leaked": 5}, "the second only spells the first differently"
    assert data.sources == {"reviews.csv": len(alone.train)}


def test_a_few_words_shared_with_a_held_out_text_are_no_leak(tmp_path: Path) -> None:
    alone = prepare(configure(data=write_csv(tmp_path / "reviews.csv", REVIEWS)))
    piece = " ".join(alone.test.texts[0].split()[:9])
    assert with_extra(tmp_path, [(piece, "good")]).train.texts[-1] == piece


def test_an_extra_row_replaces_a_training_row_that_it_contradicts(tmp_path: Path) -> None:
    alone = prepare(configure(data=write_csv(tmp_path / "reviews.csv", REVIEWS)))
    text, label = alone.train.texts[0], alone.labels[alone.train.labels[0]]
    other = {"good": "bad", "bad": "good"}[label]

    same = with_extra(tmp_path, [(text, label)])
    assert (same.train, same.dropped) == (alone.train, {"known": 1})

    newer = with_extra(tmp_path, [(text.upper(), other)])
    assert newer.dropped == {"relabeled": 1}
    assert text not in newer.train.texts
    assert newer.labels[newer.train.labels[-1]] == other
    assert newer.sources == {"reviews.csv": len(alone.train) - 1, "feedback.csv": 1}


def test_the_last_of_contradicting_extra_rows_wins(tmp_path: Path) -> None:
    first = Path(write_csv(tmp_path / "first.csv", [("of two minds", "bad"), ("of one mind", "bad")]))
    second = Path(write_csv(tmp_path / "second.csv", [("Of two minds", "good"), ("of one mind", "bad")]))
    data = prepare(configure(data=write_csv(tmp_path / "reviews.csv", REVIEWS), extra_data=(first, second)))
    added = dict(zip(data.train.texts[-2:], data.train.labels[-2:], strict=True))
    assert {text: data.labels[label] for text, label in added.items()} == {
        "Of two minds": "good",
        "of one mind": "bad",
    }
    assert data.dropped == {"known": 1, "superseded": 1}
    assert data.sources["second.csv"] == 2


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_the_fingerprint_depends_on_the_extra_rows_and_not_on_their_paths(kind: str, tmp_path: Path) -> None:
    rows = [("an extra row", "good"), ("and one more", "bad")]
    path = tmp_path / f"feedback.{kind}"
    if kind == "csv":
        write_csv(path, rows)
    elif kind == "jsonl":
        path.write_text("".join(json.dumps({"text": t, "label": s, "more": 1}) + "\n" for t, s in rows))
    else:
        pq.write_table(pa.table({"text": [t for t, _ in rows], "label": [s for _, s in rows]}), path)
    reviews = write_csv(tmp_path / "reviews.csv", REVIEWS)
    config = configure(data=reviews, extra_data=(path,))
    data, same = prepare(config), with_extra(tmp_path, rows)
    assert data.fingerprint == same.fingerprint
    assert run_key(config, data) == run_key(configure(data=reviews), same)
    assert data.fingerprint != prepare(configure(data=reviews)).fingerprint
    assert data.fingerprint != with_extra(tmp_path, [*rows[:1], ("and one more", "good")]).fingerprint


def test_extra_rows_may_have_the_columns_of_the_data_set_or_those_of_feedback(tmp_path: Path) -> None:
    reviews = write_csv(tmp_path / "reviews.csv", REVIEWS, ("body", "stars"))
    own = Path(write_csv(tmp_path / "own.csv", [("as the data set", "bad")], ("body", "stars")))
    theirs = Path(write_csv(tmp_path / "theirs.csv", [("as it is exported", "good")]))
    options = {"data": reviews, "text_column": "body", "label_column": "stars"}
    data = prepare(configure(**options, extra_data=(own, theirs)))
    assert data.train.texts[-2:] == ["as the data set", "as it is exported"]


def test_the_card_counts_training_rows_by_source(tmp_path: Path) -> None:
    data = with_extra(tmp_path, [("an extra row", "good")])
    record = TrainingRecord(
        config=configure(data="reviews.csv", extra_data=(tmp_path / "feedback.csv",)),
        data_fingerprint=data.fingerprint,
        run_key="k",
        steps=1,
        seconds=1.0,
        resumed_from_step=0,
        precision="fp32",
        processes=1,
        git_commit=None,
        mlflow_run_id=None,
    )
    fields = record.card_fields(data)
    assert fields["data"]["train_sources"] == {"reviews.csv": 36, "feedback.csv": 1}
    assert fields["data"]["rows"]["train"] == 37
    assert str(tmp_path) not in json.dumps(fields), "paths say nothing about the model"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text,label\nfine,meh\n", "feedback.csv row 1 has the label 'meh', not one of bad, good"),
        ("text,label\n ,good\n", "feedback.csv row 1 has no text"),
        ("body,label\nfine,good\n", "feedback.csv row 1 has no column 'text', only body, label"),
        ("text,label\n", "feedback.csv has no rows"),
        ("", "feedback.csv has no rows"),
        (None, "no file .*feedback.csv; check the path given as extra data"),
    ],
)
def test_an_invalid_extra_row_is_named(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "feedback.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match=message) as caught:
        prepare(configure(data=write_csv(tmp_path / "reviews.csv", REVIEWS), extra_data=(path,)))
    assert caught.value.exit_code == 2


def test_extra_data_of_an_unsupported_type_is_rejected(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "feedback.xlsx"):
        with pytest.raises(DataError, match="is not a CSV, Parquet or JSONL file"):
            prepare(configure(data=write_csv(tmp_path / "reviews.csv", REVIEWS), extra_data=(path,)))


def test_invalid_extra_rows_are_dropped_and_counted_on_demand(tmp_path: Path) -> None:
    data = with_extra(
        tmp_path, [("fine", "meh"), ("better", "good")], drop_bad_rows=True, labels=("bad", "good")
    )
    assert data.dropped == {"unknown_label": 1}
    assert data.sources["feedback.csv"] == 1


def test_invalid_extra_data_on_the_command_line_is_a_one_line_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_csv(tmp_path / "reviews.csv", REVIEWS)
    bad = write_csv(tmp_path / "feedback.csv", [("fine", "meh")])
    for command in ("train", "search"):
        assert main([command, "--data", data, "--extra-data", bad, "--artifacts", str(tmp_path / "a")]) == 2
        (line,) = capsys.readouterr().err.strip().splitlines()[-1:]
        assert "feedback.csv row 1 has the label 'meh'" in line


# Source weights

FEEDBACK = [(f"what number {n} said of it", "good") for n in range(5)]


def test_source_weights_average_to_one(tmp_path: Path) -> None:
    data = with_extra(tmp_path, FEEDBACK, source_weights="feedback.csv=3")
    weights = data.train.weights
    assert weights is not None and len(weights) == len(data.train)
    assert sum(weights) == pytest.approx(len(weights))
    assert set(weights[:-5]) == {weights[0]}
    assert weights[-5:] == pytest.approx([3 * weights[0]] * 5)
    assert with_extra(tmp_path, FEEDBACK).train.weights is None


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("feedbak.csv=3", "no rows come from 'feedbak.csv'; sources are reviews.csv, feedback.csv"),
        ("reviews.csv=0,feedback.csv=0", "no row has a weight above 0"),
        ("feedback.csv=-1", "greater than or equal to 0"),
        ("feedback.csv=much", "should be a valid number"),
        ("feedback.csv", "give name=weight"),
    ],
)
def test_an_invalid_weight_is_rejected(tmp_path: Path, weights: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        with_extra(tmp_path, FEEDBACK, source_weights=weights)
