"""A streamed file is validated, deduplicated and split by the same rules as one in memory."""

import csv
import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from transformers import PreTrainedTokenizerFast

from tests.training.data.reviews import write_csv
from tests.training.finetune.test_tune import recipe, tune
from training.config import configure
from training.data.arrow import Column, open_table, write_table
from training.data.examples import tokenized_examples
from training.data.prepare import prepare
from training.data.rows import Dataset, Rows
from training.errors import ConfigError, DataError
from training.finetune.model import backend_tokenizer, load_classifier

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:mtime may not be reliable")

ROWS = [(f"review number {n}", ("bad", "good")[n % 2]) for n in range(200)]
LONG = " ".join(f"word{place}" for place in range(30))


def streamed(tmp_path: Path, rows: list[tuple[Any, ...]], **options: Any) -> Dataset:
    data = write_csv(tmp_path / "reviews.csv", rows)
    given = {"validation_rows": 20, "test_rows": 20, "artifacts": tmp_path / "artifacts", "streaming": True}
    return prepare(configure(data=data, **(given | options)))


def all_texts(data: Dataset) -> list[str]:
    return [text for part in (data.train, data.validation, data.test) for text in part.texts]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_every_row_is_in_one_part_and_the_training_rows_are_on_disk(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"reviews.{kind}"
    if kind == "csv":
        write_csv(path, ROWS)
    elif kind == "jsonl":
        path.write_text("".join(json.dumps({"text": t, "label": label}) + "\n" for t, label in ROWS))
    else:
        pq.write_table(pa.table({"text": [t for t, _ in ROWS], "label": [one for _, one in ROWS]}), path)
    options: dict[str, Any] = {"validation_rows": 20, "test_rows": 20, "artifacts": tmp_path / "artifacts"}
    data = prepare(configure(data=str(path), streaming=True, **options))
    assert data.sizes == {"train": 160, "validation": 20, "test": 20}
    assert sorted(all_texts(data)) == sorted(text for text, _ in ROWS)
    numbered = {text: int(label == "good") for text, label in ROWS}
    assert dict(zip(data.train.texts, data.train.labels, strict=True)).items() <= numbered.items()
    assert Counter(data.test.labels) == {0: 10, 1: 10}
    assert isinstance(data.train.texts, Column)
    again = prepare(configure(data=str(path), streaming=True, **options))
    assert list(again.train.texts) == list(data.train.texts)
    assert (again.test, again.fingerprint) == (data.test, data.fingerprint)


def test_duplicates_contradictions_and_near_duplicates_are_dropped(tmp_path: Path) -> None:
    extra = [("<br />REVIEW number 3", "good"), ("review number 5", "bad")]
    near = [(LONG.replace("word7 ", f"word{n} "), "good") for n in range(100, 140)]
    data = streamed(tmp_path, ROWS + extra + near)
    assert data.dropped["duplicate"] == 1
    assert data.dropped["contradiction"] == 2
    assert "review number 5" not in all_texts(data)
    held_out = [*data.validation.texts, *data.test.texts]
    assert any(text.startswith("word0") for text in held_out)
    assert not any(text.startswith("word0") for text in data.train.texts)
    assert data.dropped["near_duplicate"] > 30


def test_fewer_training_rows_do_not_change_the_held_out_rows(tmp_path: Path) -> None:
    whole, part = streamed(tmp_path, ROWS), streamed(tmp_path, ROWS, train_rows=50)
    assert part.sizes["train"] == 50
    assert (part.validation, part.test) == (whole.validation, whole.test)


def test_extra_rows_come_last_and_replace_what_they_contradict(tmp_path: Path) -> None:
    text = streamed(tmp_path, ROWS).train.texts[0]
    other = {"bad": "good", "good": "bad"}[dict(ROWS)[text]]
    extra = Path(write_csv(tmp_path / "more.csv", [(text, other), ("something new", "bad")]))
    data = streamed(tmp_path, ROWS, extra_data=(extra,), source_weights="more.csv=2")
    assert data.train.texts[-2:] == [text, "something new"]
    assert list(data.train.texts).count(text) == 1
    assert data.sources == {"reviews.csv": 159, "more.csv": 2}
    assert data.dropped["relabeled"] == 1
    weights = data.train.weights
    assert weights is not None and weights[-1] == pytest.approx(2 * weights[0])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([*ROWS, ("", "bad")], "row 201 has no text"),
        ([("a", "bad"), ("b", "bad")], "rows of one label only"),
        ([], "has no rows"),
    ],
)
def test_invalid_rows_are_named(tmp_path: Path, rows: list[tuple[str, str]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        streamed(tmp_path, rows)


def test_only_a_file_can_be_streamed() -> None:
    with pytest.raises(ConfigError, match="streaming: embedded is not a CSV"):
        prepare(configure(streaming=True))


def test_a_streamed_run_trains(reviews_csv: Path, tiny_model: Path, tmp_path: Path) -> None:
    config = recipe(reviews_csv, tiny_model, streaming=True, artifacts=tmp_path / "artifacts", epochs=8)
    _, history = tune(config, tmp_path / "run")
    assert max(metrics["eval_accuracy"] for _, metrics in history if "eval_accuracy" in metrics) > 0.9


MEASURED = """
import resource, sys
from pathlib import Path
from training.config import configure
from training.data.prepare import prepare
import training.data.stream
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak()
data = prepare(configure(data=sys.argv[1], streaming=True, artifacts=Path(sys.argv[2])))
print(len(data.train), before, peak())
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    def grown(rows: int) -> tuple[float, float]:
        path = tmp_path / f"{rows}.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("text", "label"))
            for number in range(rows):
                rng = random.Random(number)
                writer.writerow((" ".join(f"w{rng.randrange(9_999)}" for _ in range(200)), number % 2))
        printed = subprocess.run(
            [sys.executable, "-c", MEASURED, str(path), str(tmp_path / f"cache-{rows}")],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        assert int(printed[0]) > 0.8 * rows - 2_000
        return path.stat().st_size / 2**20, float(printed[2]) - float(printed[1])

    (small_mb, small), (large_mb, large) = grown(6_000), grown(48_000)
    assert large_mb > small_mb + 40
    assert large - small < 0.5 * (large_mb - small_mb)


# Rows on disk


def test_a_column_is_a_sequence(tmp_path: Path) -> None:
    schema = pa.schema({"x": pa.int64()})
    write_table(tmp_path / "t.arrow", schema, ({"x": [n, n + 1]} for n in range(0, 6, 2)))
    table = open_table(tmp_path / "t.arrow")
    assert table is not None
    column = Column(table["x"])
    assert list(column) == [column[place] for place in range(6)] == column[:] == list(range(6))
    assert (column[-1], column[2:4]) == (5, [2, 3])
    with pytest.raises(IndexError):
        column[6]


def test_a_table_is_written_atomically(tmp_path: Path) -> None:
    schema = pa.schema({"x": pa.int64()})

    def full() -> Any:
        yield {"x": [1]}
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_table(tmp_path / "t.arrow", schema, full())
    assert list(tmp_path.iterdir()) == []
    assert open_table(tmp_path / "t.arrow") is None


def tokenizer_of(folder: Path) -> PreTrainedTokenizerFast:
    return load_classifier(str(folder), ["negative", "positive"]).tokenizer


def test_tokens_are_cached_for_the_next_run_on_the_same_rows(tiny_model: Path, tmp_path: Path) -> None:
    tokenizer = backend_tokenizer(tokenizer_of(tiny_model))
    rows = Rows(["a good film", "a bad film " * 30], [1, 0])
    first = tokenized_examples(rows, tokenizer, 16, "head", tmp_path)
    [path] = tmp_path.iterdir()
    written = path.stat().st_mtime_ns
    again = tokenized_examples(rows, tokenizer, 16, "head", tmp_path)
    assert path.stat().st_mtime_ns == written
    assert [again[row] for row in range(2)] == [first[row] for row in range(2)]
    assert first.lengths == [len(first[row]["input_ids"]) for row in range(2)]
    tokenized_examples(rows, tokenizer, 8, "head", tmp_path)
    tokenized_examples(rows, tokenizer, 16, "head_tail", tmp_path)
    tokenized_examples(Rows(["a good film", "another"], [1, 0]), tokenizer, 16, "head", tmp_path)
    assert len(list(tmp_path.iterdir())) == 4
    path.write_bytes(path.read_bytes()[:-20])
    rewritten = tokenized_examples(rows, tokenizer, 16, "head", tmp_path)
    assert [rewritten[row] for row in range(2)] == [first[row] for row in range(2)]
