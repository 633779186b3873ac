"""Prepare a file that does not fit into memory, as `prepare` does, with the training rows on disk.

The file is read several times, a batch at once. In memory are only the held-out rows, and of each row a hash
of its text and its label (nine bytes). The rules are the same: each text once, none whose copies disagree,
held-out rows in proportion to the labels, and no training row that nearly equals one of them. Which rows are
held out is drawn otherwise than of a file that fits, so the two ways give different splits.
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
from training.data.extra import ExtraRow, gather
from training.data.near_duplicates import HeldOutTexts, normalized
from training.data.rows import (
    HELD_OUT_AT_MOST,
    Dataset,
    Rows,
    check_labels,
    drop_near_duplicates,
    rows_of,
    weights,
)
from training.data.sources import batches
from training.data.validation import LabelNames, Row, checked, infer_labels, label_name
from training.errors import ConfigError, DataError

_BATCH = 1_000
_SCHEMA = pa.schema({"text": pa.string(), "label": pa.int64()})
_TRAIN, _VALIDATION, _TEST, _UNUSED = range(4)


@dataclass(frozen=True)
class _Plan:
    """What becomes of each row of the file that passed the checks, in their order."""

    part: NDArray[np.uint8]
    hashes: NDArray[np.uint64]
    fingerprint: str


def prepare_streamed(config: TrainingConfig) -> Dataset:
    """Read, check and split a file; its training rows end in the cache.

    Raises DataError naming the first bad row, ConfigError for data that cannot be streamed.
    """
    path = Path(config.data)
    if not path.is_file():
        raise ConfigError(
            f"streaming: {config.data} is not a CSV, Parquet or JSONL file; give one, or leave it out"
        )
    dropped: Counter[str] = Counter()
    labels = _label_names(config)
    plan = _plan(config, labels, dropped)
    held: dict[int, list[Row]] = {_VALIDATION: [], _TEST: []}
    for number, row in enumerate(_rows(config, labels, Counter())):
        if plan.part[number] in held:
            held[plan.part[number]].append(row)
    test = rows_of(held[_TEST])
    validation = rows_of(drop_near_duplicates(held[_VALIDATION], HeldOutTexts(test.texts), dropped))
    if not len(validation) or not len(test):
        raise DataError(f"{path.name} has too few rows to hold some out; leave out --streaming")
    index = HeldOutTexts([*validation.texts, *test.texts])
    extra = [one for one in gather(config, labels, dropped) if not index.repeated_by(one.row.text)]
    key = hashlib.sha256(f"{plan.fingerprint}{config.recipe()}{[e.row for e in extra]}".encode()).hexdigest()
    rows_path = config.cache_folder / f"rows-{key[:20]}.arrow"
    near: Counter[str] = Counter()
    write_table(rows_path, _SCHEMA, _training_rows(config, labels, plan, index, extra, near))
    dropped += near
    table = open_table(rows_path)
    assert table is not None, f"{rows_path} was written and cannot be read"  # noqa: S101
    sources = [one.source for one in extra]
    source_of = [path.name] * (table.num_rows - len(extra)) + sources
    return Dataset(
        name=path.name,
        labels=labels.names,
        train=Rows(Column(table["text"]), Column(table["label"]), weights(source_of, config.source_weights)),
        validation=validation,
        test=test,
        dropped=dict(sorted((+dropped).items())),
        fingerprint=plan.fingerprint,
        sources=dict(Counter(source_of)),
    )


def _rows(config: TrainingConfig, labels: LabelNames, dropped: Counter[str]) -> Iterator[Row]:
    for table in batches(config, _BATCH):
        yield from checked(table, labels, config, dropped)


def _label_names(config: TrainingConfig) -> LabelNames:
    seen: dict[str, None] = {}
    if not config.labels:
        for table in batches(config, _BATCH):
            seen |= {name: None for label in table.labels if (name := label_name(label)) is not None}
    names = list(config.labels or infer_labels(Path(config.data).name, seen))
    numbers = {str(number): number for number in range(len(names))} if config.labels else {}
    return LabelNames(names, numbers | {name: number for number, name in enumerate(names)})


def _plan(config: TrainingConfig, labels: LabelNames, dropped: Counter[str]) -> _Plan:
    """Decide from hashes and labels alone which row is used for what."""
    found, label_of = array("Q"), array("B")
    for row in _rows(config, labels, dropped):
        found.append(_hash(row.text))
        label_of.append(row.label)
    hashes, label = np.frombuffer(found, np.uint64), np.frombuffer(label_of, np.uint8)
    if not len(hashes):
        raise DataError(f"{Path(config.data).name} has no rows; give one with a row for each text")
    _, first, group = np.unique(hashes, return_index=True, return_inverse=True)
    contradicted = np.zeros(len(first), bool)
    np.logical_or.at(contradicted, group, label != label[first][group])
    usable = first[~contradicted]
    dropped["contradiction"] += int(contradicted[group].sum())
    dropped["duplicate"] += len(hashes) - int(contradicted[group].sum()) - len(usable)
    counts = {name: int((label[usable] == number).sum()) for number, name in enumerate(labels.names)}
    check_labels(Path(config.data).name, labels.names, counts)
    part = np.full(len(hashes), _UNUSED, np.uint8)
    part[usable] = _TRAIN
    chance = np.random.default_rng(config.seed)
    share = max(len(usable) // HELD_OUT_AT_MOST, len(labels.names))
    for kind, wanted in ((_TEST, config.test_rows), (_VALIDATION, config.validation_rows)):
        for number, name in enumerate(labels.names):
            pool = usable[(label[usable] == number) & (part[usable] == _TRAIN)]
            size = max(1, round(min(wanted, share) * counts[name] / len(usable)))
            part[chance.choice(pool, min(size, len(pool) - 1), replace=False)] = kind
    if config.train_rows is not None:
        pool = np.flatnonzero(part == _TRAIN)
        part[chance.permutation(pool)[config.train_rows :]] = _UNUSED
    digest = hashlib.sha256("\x1f".join(labels.names).encode() + hashes.tobytes() + label.tobytes())
    return _Plan(part, hashes, f"sha256:{digest.hexdigest()}")


def _training_rows(
    config: TrainingConfig,
    labels: LabelNames,
    plan: _Plan,
    held_out: HeldOutTexts,
    extra: list[ExtraRow],
    dropped: Counter[str],
) -> Iterator[dict[str, Any]]:
    newer = {_hash(one.row.text) for one in extra}
    texts: list[str] = []
    numbers: list[int] = []
    for number, row in enumerate(_rows(config, labels, Counter())):
        if plan.part[number] != _TRAIN:
            continue
        if int(plan.hashes[number]) in newer:
            dropped["relabelled"] += 1
        elif held_out.repeated_by(row.text):
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
    """Return 64 bits of the text by which copies are found: of ten million texts hardly two share them."""
    return int.from_bytes(hashlib.blake2b(normalized(text).encode(), digest_size=8).digest(), "big")
