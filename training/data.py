"""Prepare labelled texts for a run: check, clean and deduplicate them, then split them.

Every row that is not used for its fault is counted under `dropped`. Reading them is `training.sources`.
"""

import hashlib
import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from training.config import TrainingConfig
from training.errors import DataError
from training.sources import Table, read
from training.text import clean

MAX_LABELS = 100  # more than this and the column is hardly one of labels
_FEWEST_PER_LABEL = 3  # one row each to train, validate and test on
_HELD_OUT_AT_MOST = 5  # validation and test take at most a fifth of the rows each


@dataclass(frozen=True)
class Rows:
    """Texts and the index of each one's label, in the order of the data set's label names."""

    texts: list[str]
    labels: list[int]

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True)
class Dataset:
    """Checked rows in three parts that share no text."""

    name: str
    labels: list[str]
    train: Rows
    validation: Rows
    test: Rows
    dropped: dict[str, int]
    fingerprint: str

    @property
    def sizes(self) -> dict[str, int]:
        """Return the number of rows of each part."""
        return {"train": len(self.train), "validation": len(self.validation), "test": len(self.test)}


@dataclass(frozen=True)
class _Row:
    text: str
    label: int
    held_out: bool


def prepare(config: TrainingConfig) -> Dataset:
    """Read, check and split the data of a run; the same configuration always gives the same rows.

    Raises DataError naming the first bad row and the mend.
    """
    table = read(config)
    dropped: Counter[str] = Counter()
    labels, rows = _checked(table, config, dropped)
    rows = _deduplicated(rows, dropped)
    _check_labels(table.name, labels, rows)
    train, validation, test = _split(rows, labels, config)
    return Dataset(
        name=table.name,
        labels=labels,
        train=train,
        validation=validation,
        test=test,
        dropped=dict(sorted((+dropped).items())),  # + leaves out zeros
        fingerprint=_fingerprint(labels, rows),
    )


def _checked(table: Table, config: TrainingConfig, dropped: Counter[str]) -> tuple[list[str], list[_Row]]:
    given = config.labels or table.label_names
    labels = list(given) if given else _infer_labels(table)
    index_of: dict[str, int] = {str(index): index for index in range(len(labels))} if given else {}
    index_of |= {label: index for index, label in enumerate(labels)}
    rows = []
    for number, (text, label, place) in enumerate(zip(table.texts, table.labels, table.places, strict=True)):
        name = _label_name(label)
        if not _is_text(text):
            fault, message = "not_text", f"{place} is not readable text but {text!r:.40}; mend or remove it"
        elif not clean(text).strip():
            fault, message = "empty_text", f"{place} has no text; write or remove it"
        elif name is None:
            fault, message = "missing_label", f"{place} has no label; label or remove it"
        elif name not in index_of:
            fault = "unknown_label"
            message = f"{place} has the label {name!r}, not one of {', '.join(labels)}; mend or remove it"
            message += ", or name every label with --labels"
        else:
            held_out = table.train_count is not None and number >= table.train_count
            rows.append(_Row(text.strip(), index_of[name], held_out))
            continue
        if not config.drop_bad_rows:
            raise DataError(f"{message} (--drop-bad-rows leaves out every such row and counts it)")
        dropped[fault] += 1
    return labels, rows


def _is_text(value: Any) -> bool:
    """Tell whether `value` is a string that UTF-8 can hold (JSON can carry halves of characters)."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def _label_name(label: Any) -> str | None:
    """Return how a label is written, or None for a missing one (NaN is the only value unequal to itself)."""
    if label is None or label != label:
        return None
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    if isinstance(label, bool):
        label = int(label)
    return str(label).strip() or None


def _infer_labels(table: Table) -> list[str]:
    names = {name for label in table.labels if (name := _label_name(label)) is not None}
    if len(names) > MAX_LABELS:
        raise DataError(
            f"{table.name} has {len(names):,} different labels, and at most {MAX_LABELS} make sense; name "
            "the right column with --label-column"
        )
    return sorted(names, key=lambda name: (0, int(name), name) if name.isdecimal() else (1, 0, name))


def _deduplicated(rows: list[_Row], dropped: Counter[str]) -> list[_Row]:
    """Keep each text once, as a test row if it is one, and none whose copies disagree about the label."""
    copies: dict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        copies[" ".join(clean(row.text).split()).casefold()].append(row)
    kept = []
    for same in copies.values():
        if len({row.label for row in same}) > 1:
            dropped["contradiction"] += len(same)
            continue
        dropped["duplicate"] += len(same) - 1
        kept.append(max(same, key=lambda row: row.held_out))
    return kept


def _check_labels(name: str, labels: list[str], rows: list[_Row]) -> None:
    counts = Counter(labels[row.label] for row in rows)
    if len(counts) < 2:
        raise DataError(
            f"{name} has rows of one label only ({', '.join(counts) or 'none'}); a classifier needs two or "
            "more, so add rows of another or name the right column with --label-column"
        )
    for label in labels:
        if counts[label] < _FEWEST_PER_LABEL:
            raise DataError(
                f"{name} has {counts[label]} rows labelled {label!r} and needs {_FEWEST_PER_LABEL} or more, "
                "to train, validate and test on; add some or leave the label out"
            )


def _split(rows: list[_Row], labels: list[str], config: TrainingConfig) -> tuple[Rows, Rows, Rows]:
    chance = random.Random(config.seed)  # noqa: S311  (a split, not a secret)
    pools: list[list[_Row]] = [[] for _ in labels]
    held_out: list[list[_Row]] = [[] for _ in labels]
    for row in chance.sample(rows, len(rows)):
        (held_out if row.held_out else pools)[row.label].append(row)
    share = max(len(rows) // _HELD_OUT_AT_MOST, len(labels))
    own_test = any(row.held_out for row in rows)
    test = _take(held_out if own_test else pools, min(config.test_rows, share))
    validation = _take(pools, min(config.validation_rows, share))
    left = sum(map(len, pools))
    train = _take(pools, min(config.train_rows or left, left))
    if missing := [labels[label] for label in set(range(len(labels))) - {row.label for row in train}]:
        raise DataError(f"no row to train on is labelled {missing[0]!r}; add some or leave the label out")
    parts = []
    for part in (train, validation, test):
        chance.shuffle(part)
        parts.append(Rows([row.text for row in part], [row.label for row in part]))
    return parts[0], parts[1], parts[2]


def _take(pools: list[list[_Row]], size: int) -> list[_Row]:
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


def _fingerprint(labels: Iterable[str], rows: Iterable[_Row]) -> str:
    digest = hashlib.sha256("\x1f".join(labels).encode())
    for row in rows:
        digest.update(f"\x1e{row.label}{int(row.held_out)}{row.text}".encode())
    return f"sha256:{digest.hexdigest()}"
