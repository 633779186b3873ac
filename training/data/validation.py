"""Check rows one by one: each has readable text and a known label, or is named with the mend.

Rows of the data set and rows added to it are checked alike.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from training.config import TrainingConfig
from training.data.sources import Table
from training.errors import DataError
from training.text import clean

MAX_LABELS = 100  # more than this and the column is hardly one of labels


@dataclass(frozen=True)
class Row:
    """A checked text with the index of its label."""

    text: str
    label: int
    held_out: bool


@dataclass(frozen=True)
class LabelNames:
    """The names of the labels in the model's order, and every way a row may write one."""

    names: list[str]
    index_of: Mapping[str, int]


def label_names(table: Table, config: TrainingConfig) -> LabelNames:
    """Return the labels that are given, which rows may also number, or those that the rows name."""
    given = config.labels or table.label_names
    names = list(given) if given else infer_labels(table.name, _named(table))
    numbers = {str(index): index for index in range(len(names))} if given else {}
    return LabelNames(names, numbers | {name: index for index, name in enumerate(names)})


def checked(table: Table, labels: LabelNames, config: TrainingConfig, dropped: Counter[str]) -> list[Row]:
    """Return the rows that can be used; raises DataError naming the first other one, or counts them."""
    rows = []
    for number, (text, label, place) in enumerate(zip(table.texts, table.labels, table.places, strict=True)):
        name = label_name(label)
        if not _is_text(text):
            fault, message = "not_text", f"{place} is not readable text but {text!r:.40}; mend or remove it"
        elif not clean(text).strip():
            fault, message = "empty_text", f"{place} has no text; write or remove it"
        elif name is None:
            fault, message = "missing_label", f"{place} has no label; label or remove it"
        elif name not in labels.index_of:
            fault = "unknown_label"
            message = f"{place} has the label {name!r}, not one of {', '.join(labels.names)}; "
            message += "mend or remove it, or name every label with --labels"
        else:
            held_out = table.train_count is not None and number >= table.train_count
            rows.append(Row(text.strip(), labels.index_of[name], held_out))
            continue
        if not config.drop_bad_rows:
            raise DataError(f"{message} (--drop-bad-rows leaves out every such row and counts it)")
        dropped[fault] += 1
    return rows


def _is_text(value: Any) -> bool:
    """Tell whether `value` is a string that UTF-8 can hold (JSON can carry halves of characters)."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def _named(table: Table) -> set[str]:
    return {name for label in table.labels if (name := label_name(label)) is not None}


def label_name(label: Any) -> str | None:
    """Return how a label is written, or None for a missing one (NaN is the only value unequal to itself)."""
    if label is None or label != label:
        return None
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    if isinstance(label, bool):
        label = int(label)
    return str(label).strip() or None


def infer_labels(source: str, names: Collection[str]) -> list[str]:
    """Return the names that rows carry in order, numbers as numbers; raises DataError for too many."""
    if len(names) > MAX_LABELS:
        raise DataError(
            f"{source} has {len(names):,} different labels, and at most {MAX_LABELS} make sense; name "
            "the right column with --label-column"
        )
    return sorted(names, key=lambda name: (0, int(name), name) if name.isdecimal() else (1, 0, name))
