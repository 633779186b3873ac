"""Prepare labeled texts for a run: validate, deduplicate and split them, and add the extra rows.

Dropped rows are counted by reason in `dropped`. `sources` reads the rows, `validation` validates each, and
`extra` adds the extra ones.
"""

import hashlib
import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace

from training.config import TrainingConfig
from training.data.extra import ExtraRow, add_extra_rows, read_extra_rows
from training.data.near_duplicates import HeldOutTexts, normalized
from training.data.rows import (
    HELD_OUT_AT_MOST,
    Dataset,
    SplitSizes,
    check_labels,
    drop_near_duplicates,
    row_weights,
    to_columns,
)
from training.data.sources import read
from training.data.table import Columns
from training.data.validation import Row, label_names, valid_rows
from training.errors import DataError


def prepare(config: TrainingConfig) -> Dataset:
    """Read, validate and split the data of a run; deterministic for a configuration.

    Raises DataError naming the first invalid row and the fix.
    """
    sizes = SplitSizes(config.train_rows, config.validation_rows, config.test_rows, config.seed)
    if config.streaming:
        from training.data.stream import prepare_streamed

        return prepare_streamed(config, sizes)
    table = read(config)
    dropped: Counter[str] = Counter()
    labels = label_names(table, config.labels)
    rows = _deduplicated(valid_rows(table, labels, dropped, drop_bad_rows=config.drop_bad_rows), dropped)
    check_labels(table.name, labels.names, Counter(labels.names[row.label] for row in rows))
    train, validation, test, left_out = _split(rows, labels.names, sizes)
    validation = drop_near_duplicates(validation, HeldOutTexts([row.text for row in test]), dropped)
    held_out = HeldOutTexts([row.text for row in (*validation, *test)])
    train = drop_near_duplicates(train, held_out, dropped)
    _check_parts(labels.names, train, validation)
    extra = read_extra_rows(
        config.extra_data,
        Columns(config.text_column, config.label_column),
        labels,
        dropped,
        drop_bad_rows=config.drop_bad_rows,
    )
    train, added = add_extra_rows(extra, train, held_out, dropped)
    source_of = [table.name] * (len(train) - len(added)) + added
    return Dataset(
        name=table.name,
        labels=labels.names,
        train=replace(to_columns(train), weights=row_weights(source_of, config.source_weights)),
        validation=to_columns(validation),
        test=to_columns(test),
        dropped=dict(sorted((+dropped).items())),  # + drops zeros
        fingerprint=_fingerprint(labels.names, rows, extra),
        left_out=to_columns(left_out),
        sources=dict(Counter(source_of)),
    )


def _deduplicated(rows: list[Row], dropped: Counter[str]) -> list[Row]:
    """Keep each text once, preferably as a test row, and drop texts whose copies have different labels."""
    copies: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        copies[normalized(row.text)].append(row)
    kept = []
    for same in copies.values():
        if len({row.label for row in same}) > 1:
            dropped["contradiction"] += len(same)
            continue
        dropped["duplicate"] += len(same) - 1
        kept.append(max(same, key=lambda row: row.held_out))
    return kept


def _check_parts(labels: list[str], train: list[Row], validation: list[Row]) -> None:
    if missing := [labels[label] for label in set(range(len(labels))) - {row.label for row in train}]:
        raise DataError(
            f"no training row is labeled {missing[0]!r} (rows that nearly equal held-out ones are "
            "dropped); add some or remove the label"
        )
    if not validation:
        raise DataError("every validation row nearly equals a test row; add rows that differ")


def _split(rows: list[Row], labels: list[str], sizes: SplitSizes) -> tuple[list[Row], ...]:
    """Draw the rows of training, validation and test, and those that are left out of training."""
    rng = random.Random(sizes.seed)  # noqa: S311  (a split, not a secret)
    pools: list[list[Row]] = [[] for _ in labels]
    held_out: list[list[Row]] = [[] for _ in labels]
    for row in rng.sample(rows, len(rows)):
        (held_out if row.held_out else pools)[row.label].append(row)
    share = max(len(rows) // HELD_OUT_AT_MOST, len(labels))
    own_test = any(row.held_out for row in rows)
    test = _draw(held_out if own_test else pools, min(sizes.test, share))
    validation = _draw(pools, min(sizes.validation, share))
    left = sum(map(len, pools))
    train = _draw(pools, min(sizes.train or left, left))
    for part in (train, validation, test):
        rng.shuffle(part)
    return train, validation, test, [row for pool in pools for row in pool]


def _draw(pools: list[list[Row]], size: int) -> list[Row]:
    """Take `size` rows from the pools of the labels, in proportion to their sizes and at least one each."""
    total = sum(map(len, pools))
    size = min(size, total)
    exact = [size * len(pool) / total for pool in pools]
    quota = [min(len(pool), max(1, int(share))) for pool, share in zip(pools, exact, strict=True)]
    while sum(quota) > size:
        quota[quota.index(max(quota))] -= 1
    while sum(quota) < size:
        missing = [share - count for share, count in zip(exact, quota, strict=True)]
        quota[missing.index(max(missing))] += 1
    taken = []
    for pool, count in zip(pools, quota, strict=True):
        taken += pool[:count]
        del pool[:count]
    return taken


def _fingerprint(labels: Iterable[str], rows: Iterable[Row], extra: Iterable[ExtraRow]) -> str:
    """Return the hash of the rows in their order, independent of file names."""
    digest = hashlib.sha256("\x1f".join(labels).encode())
    for row in rows:
        digest.update(f"\x1e{row.label}{int(row.held_out)}{row.text}".encode())
    for one in extra:
        digest.update(f"\x1d{one.row.label}{one.row.text}".encode())
    return f"sha256:{digest.hexdigest()}"
