"""Prepare a file larger than memory, as `prepare` does, with the training rows on disk.

The file is read several times, in batches. Memory holds only the held-out rows, and nine bytes per row: a
hash of its text, and its label. The rules are the same: each text once, none with contradicting labels,
held-out rows in proportion to the labels, and no near-duplicates of them among the training rows. The
held-out rows are drawn differently, so streaming gives another split than `prepare`.
"""

import hashlib
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from training.config import TrainingConfig
from training.data.arrow import Column, open_table, write_table
from training.data.extra import ExtraRow, read_extra_rows
from training.data.near_duplicates import HeldOutTexts, normalized
from training.data.rows import (
    HELD_OUT_AT_MOST,
    Dataset,
    Rows,
    SplitSizes,
    check_labels,
    drop_near_duplicates,
    row_weights,
    to_columns,
)
from training.data.sources import batches
from training.data.table import Columns
from training.data.validation import LabelNames, Row, infer_labels, label_name, valid_rows
from training.errors import ConfigError, DataError

_BATCH = 1_000
_SCHEMA = pa.schema({"text": pa.string(), "label": pa.int64()})
_TRAIN, _VALIDATION, _TEST, _UNUSED = range(4)


@dataclass(frozen=True)
class _Assignment:
    """The part that each valid row of the file belongs to, in file order."""

    part: NDArray[np.uint8]
    hashes: NDArray[np.uint64]
    fingerprint: str


@dataclass(frozen=True)
class _File:
    """A file of labeled texts that is read several times, in batches."""

    path: Path
    columns: Columns
    drop_bad_rows: bool

    def rows(self, labels: LabelNames, dropped: Counter[str]) -> Iterator[Row]:
        for table in batches(self.path, self.columns, _BATCH):
            yield from valid_rows(table, labels, dropped, drop_bad_rows=self.drop_bad_rows)

    def label_names(self, given: tuple[str, ...] | None) -> LabelNames:
        seen: dict[str, None] = {}
        if not given:
            for table in batches(self.path, self.columns, _BATCH):
                seen |= {name: None for label in table.labels if (name := label_name(label)) is not None}
        names = list(given or infer_labels(self.path.name, seen))
        numbers = {str(number): number for number in range(len(names))} if given else {}
        return LabelNames(names, numbers | {name: number for number, name in enumerate(names)})


def prepare_streamed(config: TrainingConfig, sizes: SplitSizes) -> Dataset:
    """Read, validate and split a file, with its training rows in the cache.

    Raises DataError naming the first invalid row, ConfigError for data that cannot be streamed.
    """
    path = Path(config.data)
    if not path.is_file():
        raise ConfigError(
            f"streaming: {config.data} is not a CSV, Parquet or JSONL file; give one or leave out --streaming"
        )
    file = _File(path, Columns(config.text_column, config.label_column), config.drop_bad_rows)
    dropped: Counter[str] = Counter()
    labels = file.label_names(config.labels)
    assignment = _assign(file, labels, sizes, dropped)
    held: dict[int, list[Row]] = {_VALIDATION: [], _TEST: []}
    for number, row in enumerate(file.rows(labels, Counter())):
        if assignment.part[number] in held:
            held[assignment.part[number]].append(row)
    test = to_columns(held[_TEST])
    validation = to_columns(drop_near_duplicates(held[_VALIDATION], HeldOutTexts(test.texts), dropped))
    if not len(validation) or not len(test):
        raise DataError(f"{path.name} has too few rows to hold some out; leave out --streaming")
    index = HeldOutTexts([*validation.texts, *test.texts])
    given = read_extra_rows(
        config.extra_data, file.columns, labels, dropped, drop_bad_rows=file.drop_bad_rows
    )
    extra = [one for one in given if not index.has_near_duplicate(one.row.text)]
    key = hashlib.sha256(
        f"{assignment.fingerprint}{config.recipe()}{[e.row for e in extra]}".encode()
    ).hexdigest()
    rows_path = config.cache_folder / f"rows-{key[:20]}.arrow"
    near: Counter[str] = Counter()
    write_table(rows_path, _SCHEMA, _training_rows(file, labels, assignment, index, extra, near))
    dropped += near
    table = open_table(rows_path)
    assert table is not None, f"{rows_path} was written but cannot be read"  # noqa: S101
    sources = [one.source for one in extra]
    source_of = [path.name] * (table.num_rows - len(extra)) + sources
    return Dataset(
        name=path.name,
        labels=labels.names,
        train=Rows(
            Column(table["text"]), Column(table["label"]), row_weights(source_of, config.source_weights)
        ),
        validation=validation,
        test=test,
        dropped=dict(sorted((+dropped).items())),
        fingerprint=assignment.fingerprint,
        sources=dict(Counter(source_of)),
    )


def _assign(file: _File, labels: LabelNames, sizes: SplitSizes, dropped: Counter[str]) -> _Assignment:
    """Assign each row to a part, from hashes and labels alone."""
    found, label_of = array("Q"), array("B")
    for row in file.rows(labels, dropped):
        found.append(_hash(row.text))
        label_of.append(row.label)
    hashes, label = np.frombuffer(found, np.uint64), np.frombuffer(label_of, np.uint8)
    if not len(hashes):
        raise DataError(f"{file.path.name} has no rows; give one with a row per text")
    _, first, group = np.unique(hashes, return_index=True, return_inverse=True)
    contradicted = np.zeros(len(first), bool)
    np.logical_or.at(contradicted, group, label != label[first][group])
    usable = first[~contradicted]
    dropped["contradiction"] += int(contradicted[group].sum())
    dropped["duplicate"] += len(hashes) - int(contradicted[group].sum()) - len(usable)
    counts = {name: int((label[usable] == number).sum()) for number, name in enumerate(labels.names)}
    check_labels(file.path.name, labels.names, counts)
    part = np.full(len(hashes), _UNUSED, np.uint8)
    part[usable] = _TRAIN
    rng = np.random.default_rng(sizes.seed)
    share = max(len(usable) // HELD_OUT_AT_MOST, len(labels.names))
    for kind, wanted in ((_TEST, sizes.test), (_VALIDATION, sizes.validation)):
        for number, name in enumerate(labels.names):
            pool = usable[(label[usable] == number) & (part[usable] == _TRAIN)]
            size = max(1, round(min(wanted, share) * counts[name] / len(usable)))
            part[rng.choice(pool, min(size, len(pool) - 1), replace=False)] = kind
    if sizes.train is not None:
        pool = np.flatnonzero(part == _TRAIN)
        part[rng.permutation(pool)[sizes.train :]] = _UNUSED
    digest = hashlib.sha256("\x1f".join(labels.names).encode() + hashes.tobytes() + label.tobytes())
    return _Assignment(part, hashes, f"sha256:{digest.hexdigest()}")


def _training_rows(
    file: _File,
    labels: LabelNames,
    assignment: _Assignment,
    held_out: HeldOutTexts,
    extra: list[ExtraRow],
    dropped: Counter[str],
) -> Iterator[dict[str, Any]]:
    newer = {_hash(one.row.text) for one in extra}
    texts: list[str] = []
    numbers: list[int] = []
    for number, row in enumerate(file.rows(labels, Counter())):
        if assignment.part[number] != _TRAIN:
            continue
        if int(assignment.hashes[number]) in newer:
            dropped["relabeled"] += 1
        elif held_out.has_near_duplicate(row.text):
            dropped["near_duplicate"] += 1
        else:
            texts.append(row.text)
            numbers.append(row.label)
        if len(texts) == _BATCH:
            yield {"text": texts, "label": numbers}
            texts, numbers = [], []
    yield {"text": texts, "label": numbers}
    yield {"text": [one.row.text for one in extra], "label": [one.row.label for one in extra]}


def _hash(text: str) -> int:
    """Return a 64-bit hash of the normalized text; collisions among ten million texts are unlikely."""
    return int.from_bytes(hashlib.blake2b(normalized(text).encode(), digest_size=8).digest(), "big")
