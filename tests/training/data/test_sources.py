"""Embedded reviews, files, folders and data sets of the hub are read; missing and damaged ones are named."""

import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.training.data.reviews import PLENTY, parts, write_csv
from training.config import configure
from training.data.prepare import prepare
from training.errors import DataError


def test_the_embedded_reviews_are_imdb_without_its_duplicates() -> None:
    data = prepare(configure(quick=True, train_rows=2_000))
    assert data.labels == ["negative", "positive"]
    assert data.sizes == {"train": 2000, "validation": 999, "test": 1000}
    assert data.dropped == {"duplicate": 98, "near_duplicate": 1}
    assert all(490 < count < 510 for count in Counter(data.test.labels).values())


def test_the_other_embedded_source() -> None:
    assert sum(prepare(configure(source="rotten_tomatoes")).sizes.values()) > 8_000
    with pytest.raises(DataError, match="no source 'imbd'; choose imdb or rotten_tomatoes"):
        prepare(configure(source="imbd"))


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_a_file_of_any_kind_gives_the_same_data(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"reviews.{kind}"
    if kind == "csv":
        write_csv(path, PLENTY, ("body", "stars"))
    elif kind == "jsonl":
        path.write_text("".join(json.dumps({"body": text, "stars": s}) + "\n" for text, s in PLENTY))
    else:
        pq.write_table(pa.table({"body": [t for t, _ in PLENTY], "stars": [s for _, s in PLENTY]}), path)
    data = prepare(configure(data=str(path), text_column="body", label_column="stars"))
    assert data.labels == ["bad", "good"]
    assert data.sizes == {"train": 24, "validation": 8, "test": 8}
    # The same in every process and release, or runs could not be compared.
    assert data.fingerprint == "sha256:cabe30c3dd7158ab6babf9d3329ca3a0b142bb358067a40cbf9206c2595ef130"


def test_an_aclimdb_folder_keeps_its_test_part(tmp_path: Path) -> None:
    for part, folder, label in [(p, f, f) for p in ("train", "test") for f in ("pos", "neg", "unsup")]:
        for n in range(10):
            path = tmp_path / "aclImdb" / part / folder / f"{n}_7.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{part} {label} {n}<br />naïve", encoding="utf-8")
    data = prepare(configure(data=str(tmp_path / "aclImdb")))
    assert data.labels == ["negative", "positive"]
    assert {text.split()[0] for text in data.test.texts} == {"test"}
    assert {text.split()[0] for text in data.train.texts + data.validation.texts} == {"train"}
    for text, label in zip(data.train.texts, data.train.labels, strict=True):
        assert text.split()[1] == ("neg", "pos")[label]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_hugging_face_data_set_keeps_its_names_and_test_split(tmp_path: Path) -> None:
    import datasets

    features = datasets.Features(
        {
            "review": datasets.Value("string"),
            "verdict": datasets.ClassLabel(names=["thumbs_down", "thumbs_up"]),
        }
    )
    for split in ("train", "test"):
        columns = {"review": [f"{split} {n}" for n in range(30)], "verdict": [n % 2 for n in range(30)]}
        dataset = datasets.Dataset.from_dict(columns, features=features)
        dataset.to_parquet(str(tmp_path / "hub" / f"{split}-00000-of-00001.parquet"))
    options = {"data": str(tmp_path / "hub"), "text_column": "review", "label_column": "verdict"}
    data = prepare(configure(**options))
    assert data.labels == ["thumbs_down", "thumbs_up"]
    assert {text.split()[0] for text in data.test.texts} == {"test"}
    assert {text.split()[0] for text in data.train.texts} == {"train"}
    alone = prepare(configure(**options, test_split="none"))
    assert {text.split()[0] for part in parts(alone) for text in part} == {"train"}
    with pytest.raises(DataError, match="no split 'dev', only train, test"):
        prepare(configure(**options, test_split="dev"))


def test_missing_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no file .*gone\.csv"):
        prepare(configure(data=str(tmp_path / "gone.csv")))
    with pytest.raises(DataError, match="cannot read data set 'nobody/nothing'"):
        prepare(configure(data="nobody/nothing"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.jsonl", b'{"text": "a", "label": 1}\n{oops\n', "x.jsonl row 2 is not JSON"),
        ("x.jsonl", b'["a", 1]\n', "x.jsonl row 1 is not an object"),
        ("x.csv", "text,label\ncaf\u00e9,1\n".encode("latin-1"), "x.csv is not in UTF-8"),
        ("x.jsonl", "caf\u00e9".encode("latin-1"), "x.jsonl is not in UTF-8"),
        ("x.parquet", b"not parquet", "x.parquet is not a Parquet file"),
        ("x.csv", b"", "x.csv has no rows"),
        ("x.csv", b"text,label\n", "x.csv has no rows"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        prepare(configure(data=str(tmp_path / name)))
