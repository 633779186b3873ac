"""Prepare labelled texts for a run: check and deduplicate them, split them, and add the extra rows.

Every row that is not used for its fault is counted under `dropped`. Reading rows is `training.sources`, what
is checked of each `training.checks`, and how extra rows are added `training.extra`.
"""

import hashlib
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from training.checks import Row, checked, label_names
from training.config import TrainingConfig
from training.duplicates import HeldOutTexts, normalized
from training.errors import ConfigError, DataError
from training.extra import ExtraRow, add, gather
from training.sources import read

_FEWEST_PER_LABEL = 3  # one row each to train, validate and test on
HELD_OUT_AT_MOST = 5  # validation and test take at most a fifth of the rows each


@dataclass(frozen=True)
class Rows:
    """Texts and the index of each one's label, in the order of the data set's label names."""

    texts: Sequence[str]
    labels: Sequence[int]
    weights: list[float] | None = None  # in the loss, 1 on average; None: all alike

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True)
class Dataset:
    """Checked rows in three parts of which no text nearly equals one of another part."""

    name: str
    labels: list[str]
    train: Rows
    validation: Rows
    test: Rows
    dropped: dict[str, int]
    fingerprint: str
    sources: dict[str, int] = field(default_factory=dict)  # training rows by where they came from

    @property
    def sizes(self) -> dict[str, int]:
        """Return the number of rows of each part."""
        return {"train": len(self.train), "validation": len(self.validation), "test": len(self.test)}


def prepare(config: TrainingConfig) -> Dataset:
    """Read, check and split the data of a run; the same configuration always gives the same rows.

    Raises DataError naming the first bad row and the mend.
    """
    if config.streaming:
        from training.stream import prepare_streamed

        return prepare_streamed(config)
    table = read(config)
    dropped: Counter[str] = Counter()
    labels = label_names(table, config)
    rows = _deduplicated(checked(table, labels, config, dropped), dropped)
    check_labels(table.name, labels.names, Counter(labels.names[row.label] for row in rows))
    train, validation, test = _split(rows, labels.names, config)
    validation = apart(validation, HeldOutTexts([row.text for row in test]), dropped)
    held_out = HeldOutTexts([row.text for row in (*validation, *test)])
    train = apart(train, held_out, dropped)
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


def weights(source_of: list[str], given: Mapping[str, float]) -> list[float] | None:
    """Return each row's weight, scaled to 1 on average so that the learning rate means what it did."""
    if not given:
        return None
    if unknown := given.keys() - set(source_of):
        raise ConfigError(
            f"source_weights: no rows come from {sorted(unknown)[0]!r}; sources are "
            f"{', '.join(dict.fromkeys(source_of))}"
        )
    each = [given.get(source, 1.0) for source in source_of]
    if not any(each):
        raise ConfigError("source_weights: no row is left with a weight above 0")
    return [weight * len(each) / sum(each) for weight in each]


def rows_of(rows: list[Row]) -> Rows:
    """Return the rows as two columns."""
    return Rows([row.text for row in rows], [row.label for row in rows])


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


def apart(rows: list[Row], held_out: HeldOutTexts, dropped: Counter[str]) -> list[Row]:
    """Leave out the rows that nearly equal a held-out one: that would be remembered, not judged."""
    kept = [row for row in rows if not held_out.repeated_by(row.text)]
    dropped["near_duplicate"] += len(rows) - len(kept)
    return kept


def check_labels(name: str, labels: list[str], counts: Mapping[str, int]) -> None:
    """Raise DataError unless there are two labels, each with rows for all three parts."""
    present = [label for label in labels if counts.get(label)]
    if len(present) < 2:
        raise DataError(
            f"{name} has rows of one label only ({', '.join(present) or 'none'}); a classifier needs two or "
            "more, so add rows of another or name the right column with --label-column"
        )
    for label in labels:
        if counts.get(label, 0) < _FEWEST_PER_LABEL:
            raise DataError(
                f"{name} has {counts.get(label, 0)} rows labelled {label!r} and needs {_FEWEST_PER_LABEL} or "
                "more, to train, validate and test on; add some or leave the label out"
            )


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
