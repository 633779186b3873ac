"""Texts and labels as a source returns them, before validation."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from training.errors import DataError

EMBEDDED = "embedded"


@dataclass(frozen=True)
class Table:
    """Texts and labels as read, with the name of each row for messages (first row of a file: row 1)."""

    name: str
    texts: list[Any]
    labels: list[Any]
    places: list[str]
    label_names: tuple[str, ...] | None = None
    train_count: int | None = None  # the rows after these are the data set's own test rows


class Columns(NamedTuple):
    """The names of the columns that hold the texts and their labels."""

    text: str = "text"
    label: str = "label"


def check_columns(names: Iterable[str], columns: Columns, place: str) -> None:
    """Raise DataError naming the option to set when a column is missing; `place` names the row or split."""
    present = [str(name) for name in names]
    for option, wanted in (("--text-column", columns.text), ("--label-column", columns.label)):
        if wanted not in present:
            raise DataError(f"{place} has no column {wanted!r}, only {', '.join(present)}; set {option}")


@contextmanager
def utf8_errors(path: Path) -> Iterator[None]:
    """Name the file when it is not UTF-8."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name} is not in UTF-8: {error}; save it as UTF-8") from error
