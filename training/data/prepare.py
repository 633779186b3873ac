"""Prepare labelled texts for a run: check and deduplicate them, split them, and add the extra rows.

Every row that is not used for its fault is counted under `dropped`. `sources` reads the rows,
`validation` checks each, and `extra` adds the extra ones.
"""

import hashlib
import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace

from training.config import TrainingConfig
from training.data.extra import ExtraRow, add, gather
from training.data.near_duplicates import HeldOutTexts, normalized
from training.data.rows import HELD_OUT_AT_MOST, Dataset, check_labels, drop_near_duplicates, rows_of, weights
from training.data.sources import read
from training.data.validation import Row, checked, label_names
from training.errors import DataError


def prepare(config: TrainingConfig) -> Dataset:
    """Read, check and split the data of a run; the same configuration always gives the same rows.

    Raises DataError naming the first bad row and the mend.
    """
    if config.streaming:
        from training.data.stream import prepare_streamed

        return prepare_streamed(config)
    table = read(config)
    dropped: Counter[str] = Counter()
    labels = label_names(table, config)
    rows = _deduplicated(checked(table, labels, config, dropped), dropped)
    check_labels(table.name, labels.names, Counter(labels.names[row.label] for row in rows))
    train, validation, test = _split(rows, labels.names, config)
    validation = drop_near_duplicates(validation, HeldOutTexts([row.text for row in test]), dropped)
    held_out = HeldOutTexts([row.text for row in (*validation, *test)])
    train = drop_near_duplicates(train, held_out, dropped)
    _check_parts(labels.names, train, validation)
    extra = gather(config, labels, dropped)
    train, added = add(extra, train, held_out, dropped)
    source_of = [table.name] * (len(train) - len(added)) + added
    return Dataset(
        name=table.name,
        labels=labels.names,
        train=replace(rows_of(train), weights=weights(source_of, config.source_weights)),
        validation=rows_of(validation),
        test=rows_of(test),
        dropped=dict(sorted((+dropped).items())),  # + leaves out zeros
        fingerprint=_fingerprint(labels.names, rows, extra),
        sources=dict(Counter(source_of)),
    )


def _deduplicated(rows: list[Row], dropped: Counter[str]) -> list[Row]:
    """Keep each text once, as a test row if it is one, and none whose copies disagree about the label."""
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
            f"no row to train on is labelled {missing[0]!r} (rows that nearly equal held-out ones are left "
            "out); add some or leave the label out"
        )
    if not validation:
        raise DataError("every row to validate on nearly equals a test row; add rows that differ")


def _split(
    rows: list[Row], labels: list[str], config: TrainingConfig
) -> tuple[list[Row], list[Row], list[Row]]:
    chance = random.Random(config.seed)  # noqa: S311  (a split, not a secret)
    pools: list[list[Row]] = [[] for _ in labels]
    held_out: list[list[Row]] = [[] for _ in labels]
    for row in chance.sample(rows, len(rows)):
        (held_out if row.held_out else pools)[row.label].append(row)
    share = max(len(rows) // HELD_OUT_AT_MOST, len(labels))
    own_test = any(row.held_out for row in rows)
    test = _take(held_out if own_test else pools, min(config.test_rows, share))
    validation = _take(pools, min(config.validation_rows, share))
    left = sum(map(len, pools))
    train = _take(pools, min(config.train_rows or left, left))
    for part in (train, validation, test):
        chance.shuffle(part)
    return train, validation, test


def _take(pools: list[list[Row]], size: int) -> list[Row]:
    """Move `size` rows out of the pools of each label, in proportion to what they hold and at least one."""
    total = sum(map(len, pools))
    size = min(size, total)
    exact = [size * len(pool) / total for pool in pools]
    quota = [min(len(pool), max(1, int(share))) for pool, share in zip(pools, exact, strict=True)]
    while sum(quota) > size:
        quota[quota.index(max(quota))] -= 1
    while sum(quota) < size:
        lacking = [share - count for share, count in zip(exact, quota, strict=True)]
        quota[lacking.index(max(lacking))] += 1
    taken = []
    for pool, count in zip(pools, quota, strict=True):
        taken += pool[:count]
        del pool[:count]
    return taken


def _fingerprint(labels: Iterable[str], rows: Iterable[Row], extra: Iterable[ExtraRow]) -> str:
    """Return what tells data apart: its rows in their order, and not what their files are called."""
    digest = hashlib.sha256("\x1f".join(labels).encode())
    for row in rows:
        digest.update(f"\x1e{row.label}{int(row.held_out)}{row.text}".encode())
    for one in extra:
        digest.update(f"\x1d{one.row.label}{one.row.text}".encode())
    return f"sha256:{digest.hexdigest()}"
