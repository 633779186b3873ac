"""Validate rows one by one: each needs readable text and a known label.

Rows of the data set and extra rows follow the same rules.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from training.data.table import Table
from training.errors import DataError
from training.text import clean

MAX_LABELS = 100  # a column with more probably does not hold labels


@dataclass(frozen=True)
class Row:
    """A valid text with the index of its label."""

    text: str
    label: int
    held_out: bool


@dataclass(frozen=True)
class LabelNames:
    """The names of the labels in the model's order, and the spellings that rows may use."""

    names: list[str]
    index_of: Mapping[str, int]


def label_names(table: Table, given: tuple[str, ...] | None) -> LabelNames:
    """Return the given labels, which rows may also refer to by number, or those found in the rows."""
    fixed = given or table.label_names
    names = list(fixed) if fixed else infer_labels(table.name, _named(table))
    numbers = {str(index): index for index in range(len(names))} if fixed else {}
    return LabelNames(names, numbers | {name: index for index, name in enumerate(names)})


def valid_rows(table: Table, labels: LabelNames, dropped: Counter[str], *, drop_bad_rows: bool) -> list[Row]:
    """Return the valid rows; raise DataError naming the first invalid one, or count them in `dropped`."""
    rows = []
    for number, (text, label, place) in enumerate(zip(table.texts, table.labels, table.places, strict=True)):
        name = label_name(label)
        if not _is_text(text):
            reason, message = "not_text", f"{place} is not readable text but {text!r:.40}; fix or remove it"
        elif not clean(text).strip():
            reason, message = "empty_text", f"{place} has no text; add some or remove it"
        elif name is None:
            reason, message = "missing_label", f"{place} has no label; add one or remove it"
        elif name not in labels.index_of:
            reason = "unknown_label"
            message = f"{place} has the label {name!r}, not one of {', '.join(labels.names)}; "
            message += "fix or remove it, or list every label with --labels"
        else:
            held_out = table.train_count is not None and number >= table.train_count
            rows.append(Row(text.strip(), labels.index_of[name], held_out))
            continue
        if not drop_bad_rows:
            raise DataError(f"{message} (--drop-bad-rows drops and counts such rows)")
        dropped[reason] += 1
    return rows


def _is_text(value: Any) -> bool:
    """Return whether `value` is a string that UTF-8 can encode (JSON allows lone surrogates)."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def _named(table: Table) -> set[str]:
    return {name for label in table.labels if (name := label_name(label)) is not None}


def label_name(label: Any) -> str | None:
    """Return the label as a string, or None if it is missing (NaN is the only value unequal to itself)."""
    if label is None or label != label:
        return None
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    if isinstance(label, bool):
        label = int(label)
    return str(label).strip() or None


def infer_labels(source: str, names: Collection[str]) -> list[str]:
    """Return the sorted names, numbers in numeric order; raises DataError for too many."""
    if len(names) > MAX_LABELS:
        raise DataError(
            f"{source} has {len(names):,} different labels, more than {MAX_LABELS}; set the right "
            "column with --label-column"
        )
    return sorted(names, key=lambda name: (0, int(name), name) if name.isdecimal() else (1, 0, name))
