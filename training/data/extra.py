"""Rows to train on beside the data set's own, such as what people said of predictions (`--extra-data`).

They are added to the training rows alone, after the split. An extra row that equals or nearly equals a
validation or test text is left out, and one that contradicts a training row replaces it: extra rows are
newer, and of extra rows that contradict each other the last one counts.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from training.config import TrainingConfig
from training.data.near_duplicates import HeldOutTexts, normalized
from training.data.sources import read_extra
from training.data.validation import LabelNames, Row, checked


@dataclass(frozen=True)
class ExtraRow:
    """A checked row and the name of the file that it came from."""

    row: Row
    source: str


def gather(config: TrainingConfig, labels: LabelNames, dropped: Counter[str]) -> list[ExtraRow]:
    """Read and check the extra rows, each text once; raises DataError naming the first bad row."""
    latest: dict[str, ExtraRow] = {}
    for path in config.extra_data:
        table = read_extra(path, config)
        for row in checked(table, labels, config, dropped):
            before = latest.pop(normalized(row.text), None)
            if before is not None:
                dropped["known" if before.row.label == row.label else "superseded"] += 1
            latest[normalized(row.text)] = ExtraRow(row, table.name)
    return list(latest.values())


def add(
    extra: Sequence[ExtraRow], train: Sequence[Row], held_out: HeldOutTexts, dropped: Counter[str]
) -> tuple[list[Row], list[str]]:
    """Return the training rows with the extra ones behind them, and which file each of those came from."""
    kept = {normalized(row.text): row for row in train}
    added, sources = [], []
    for one in extra:
        text = normalized(one.row.text)
        if held_out.repeated_by(one.row.text):
            dropped["leaked"] += 1
            continue
        before = kept.get(text)
        if before is not None and before.label == one.row.label:
            dropped["known"] += 1
            continue
        if before is not None:
            dropped["relabelled"] += 1
            del kept[text]
        added.append(one.row)
        sources.append(one.source)
    return [*kept.values(), *added], sources
