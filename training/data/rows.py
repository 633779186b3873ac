"""The rows of a run, and the rules that apply however they were read."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from training.data.near_duplicates import HeldOutTexts
from training.data.validation import Row
from training.errors import ConfigError, DataError

_MIN_ROWS_PER_LABEL = 3  # one row each for training, validation and test
HELD_OUT_AT_MOST = 5  # validation and test get at most one fifth of the rows each


@dataclass(frozen=True)
class Rows:
    """Texts and the index of each one's label among the data set's label names."""

    texts: Sequence[str]
    labels: Sequence[int]
    weights: list[float] | None = None  # in the loss, 1 on average; None: equal

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True)
class Dataset:
    """Valid rows in three parts; no text has a near-duplicate in another part."""

    name: str
    labels: list[str]
    train: Rows
    validation: Rows
    test: Rows
    dropped: dict[str, int]
    fingerprint: str
    # Rows that `train_rows` leaves out, as they were drawn: see `wide_rows`. Empty when streaming.
    left_out: Rows = field(default_factory=lambda: Rows((), ()))
    sources: dict[str, int] = field(default_factory=dict)  # training rows by source

    @property
    def sizes(self) -> dict[str, int]:
        """Return the number of rows of each part."""
        return {"train": len(self.train), "validation": len(self.validation), "test": len(self.test)}


@dataclass(frozen=True)
class SplitSizes:
    """The maximum number of rows of each part, and the seed of the split."""

    train: int | None  # None: all that are left
    validation: int
    test: int
    seed: int


def to_columns(rows: list[Row]) -> Rows:
    """Return the rows as two columns."""
    return Rows([row.text for row in rows], [row.label for row in rows])


def drop_near_duplicates(rows: list[Row], held_out: HeldOutTexts, dropped: Counter[str]) -> list[Row]:
    """Drop the rows that nearly equal a held-out row, and count them."""
    kept = [row for row in rows if not held_out.has_near_duplicate(row.text)]
    dropped["near_duplicate"] += len(rows) - len(kept)
    return kept


def check_labels(name: str, labels: list[str], counts: Mapping[str, int]) -> None:
    """Raise DataError unless there are two or more labels, each with rows for all three parts."""
    present = [label for label in labels if counts.get(label)]
    if len(present) < 2:
        raise DataError(
            f"{name} has rows of one label only ({', '.join(present) or 'none'}); a classifier needs two or "
            "more: add rows of another label or set --label-column"
        )
    for label in labels:
        if counts.get(label, 0) < _MIN_ROWS_PER_LABEL:
            raise DataError(
                f"{name} has {counts.get(label, 0)} rows labeled {label!r} and needs {_MIN_ROWS_PER_LABEL} "
                "or more, for training, validation and test; add some or remove the label"
            )


def row_weights(source_of: list[str], given: Mapping[str, float]) -> list[float] | None:
    """Return each row's weight, scaled to 1 on average so that the learning rate keeps its meaning."""
    if not given:
        return None
    if unknown := given.keys() - set(source_of):
        raise ConfigError(
            f"source_weights: no rows come from {sorted(unknown)[0]!r}; sources are "
            f"{', '.join(dict.fromkeys(source_of))}"
        )
    each = [given.get(source, 1.0) for source in source_of]
    if not any(each):
        raise ConfigError("source_weights: no row has a weight above 0")
    return [weight * len(each) / sum(each) for weight in each]
