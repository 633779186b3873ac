"""Reject a CSV file in which a stray quote swallows rows, before any row is read.

A quote that is opened and not closed merges all rows up to the next quote into one text, and a lenient reader
reports nothing. Three signs reveal it: strict parsing fails at the next quote or at the end; a row of several
lines has more or fewer columns than the header; or each of its lines would be a valid row, with a label that
other rows have. A properly quoted text with line breaks shows none of them.
"""

import csv
import gzip
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO

from training.errors import DataError

FIELD_LIMIT = 2**24  # characters; Python's default of 131,072 refuses long documents
_MAX_LABELS = 10_000  # to keep; a column with more does not hold labels


def check_quotes(
    path: Path, label_columns: Sequence[str], *, delimiter: str = ",", name: str | None = None
) -> None:
    """Raise DataError naming the first row with invalid quotes; an unchanged file is checked once.

    The labels are in the first of `label_columns` that the file has; without any, the third sign is skipped.
    Reads `.gz` too. Raises UnicodeDecodeError when the file is not UTF-8.
    """
    status = path.stat()
    version = (status.st_size, status.st_mtime_ns)
    _check(path.resolve(), version, tuple(label_columns), delimiter, name or path.name)


@contextmanager
def field_limit() -> Iterator[None]:
    """Raise the limit of the field size to the length of documents in the body."""
    before = csv.field_size_limit(FIELD_LIMIT)
    try:
        yield
    finally:
        csv.field_size_limit(before)


@lru_cache(maxsize=64)
def _check(
    path: Path, version: tuple[int, int], label_columns: tuple[str, ...], delimiter: str, name: str
) -> None:
    labels: set[str] = set()
    suspects: list[tuple[str, list[set[str]]]] = []
    with _open(path) as file, field_limit():
        lines: list[str] = []  # of the current row
        reader = csv.reader(_recorded(file, lines), delimiter=delimiter, strict=True)
        header = _next(reader, f"{name} line 1") or []
        column = next((header.index(one) for one in label_columns if one in header), None)
        number = 0
        while True:
            lines.clear()
            first_line = reader.line_num + 1
            place = f"{name} row {number + 1} (line {first_line})"
            row = _next(reader, place)
            if row is None:
                break
            if not row:
                continue  # an empty line is not a row
            number += 1
            if len(lines) == 1:
                if column is not None and column < len(row) and len(labels) < _MAX_LABELS:
                    labels.add(row[column])
                continue
            place = f"{place} continues to line {reader.line_num}"
            if len(row) < len(header) or any(row[len(header) :]):
                raise DataError(
                    f"{place} and has {len(row)} columns where the header has {len(header)}: an "
                    "unclosed quote merges several rows; close it; nothing was read"
                )
            if column is not None and len(header) > 1:
                found = [_possible_labels(line, delimiter, column, len(header)) for line in lines]
                if all(found):
                    suspects.append((place, found))
    for place, found in suspects:
        if all(one & labels for one in found):
            raise DataError(
                f"{place}, and each of these lines is a row by itself: an unclosed quote merges "
                "them; close it; nothing was read"
            )


def _next(reader: Iterator[list[str]], place: str) -> list[str] | None:
    try:
        return next(reader, None)
    except csv.Error as error:
        raise DataError(
            f"{place} has a quote that is not closed, or a quote within quoted text that is not doubled "
            f"({error}); fix it; nothing was read"
        ) from error


def _recorded(file: Iterable[str], lines: list[str]) -> Iterator[str]:
    for line in file:
        lines.append(line)
        yield line


def _possible_labels(line: str, delimiter: str, column: int, columns: int) -> set[str]:
    """Return the possible labels if the line were a row, whose text may hold the delimiter."""
    cells = line.rstrip("\r\n").replace('"', "").split(delimiter)
    return {cells[column], cells[column - columns]} - {""} if len(cells) >= columns else set()


def _open(path: Path) -> IO[str]:
    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    if compressed:
        return gzip.open(path, "rt", newline="", encoding="utf-8-sig")
    return path.open(newline="", encoding="utf-8-sig")
