"""Add extra training rows, such as feedback on predictions (`--extra-data`).

They are added to the training rows only, after the split. Extra rows that equal or nearly equal a validation
or test text are dropped. An extra row that contradicts a training row replaces it, because it is newer; among
contradicting extra rows the last one wins.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.data.near_duplicates import HeldOutTexts, normalized
from training.data.sources import read_extra_table
from training.data.table import Columns
from training.data.validation import LabelNames, Row, valid_rows


@dataclass(frozen=True)
class ExtraRow:
    """A valid row and the name of its file."""

    row: Row
    source: str


def read_extra_rows(
    files: Iterable[Path],
    columns: Columns,
    labels: LabelNames,
    dropped: Counter[str],
    *,
    drop_bad_rows: bool,
) -> list[ExtraRow]:
    """Read and validate the extra rows, each text once; raises DataError naming the first invalid row."""
    latest: dict[str, ExtraRow] = {}
    for path in files:
        table = read_extra_table(path, columns)
        for row in valid_rows(table, labels, dropped, drop_bad_rows=drop_bad_rows):
            before = latest.pop(normalized(row.text), None)
            if before is not None:
                dropped["known" if before.row.label == row.label else "superseded"] += 1
            latest[normalized(row.text)] = ExtraRow(row, table.name)
    return list(latest.values())


def add_extra_rows(
    extra: Sequence[ExtraRow], train: Sequence[Row], held_out: HeldOutTexts, dropped: Counter[str]
) -> tuple[list[Row], list[str]]:
    """Return the training rows followed by the extra ones, and the file of each extra row."""
    kept = {normalized(row.text): row for row in train}
    added, sources = [], []
    for one in extra:
        text = normalized(one.row.text)
        if held_out.has_near_duplicate(one.row.text):
            dropped["leaked"] += 1
            continue
        before = kept.get(text)
        if before is not None and before.label == one.row.label:
            dropped["known"] += 1
            continue
        if before is not None:
            dropped["relabeled"] += 1
            del kept[text]
        added.append(one.row)
        sources.append(one.source)
    return [*kept.values(), *added], sources
