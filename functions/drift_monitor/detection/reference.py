"""The reference: held-out rows in the artifact, which show what traffic should look like to this model.

A reference that cannot be read raises MonitorError, which becomes an alert.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import AwareDatetime
from sentiment.exceptions import ModelError
from sentiment.model_card import ModelCard, read_card, read_file
from sqlalchemy import Row

from functions.drift_monitor.detection.features import tabulate
from functions.drift_monitor.errors import MonitorError

FILE = "reference.parquet"
COLUMNS = {
    "label": pa.types.is_string,
    "text": pa.types.is_string,
    "characters": pa.types.is_integer,
    "tokens": pa.types.is_integer,
    "truncated": pa.types.is_boolean,
    "sentiment": pa.types.is_string,
    "confidence": pa.types.is_floating,
    "probabilities": pa.types.is_list,
}
# Columns that older artifacts lack. If they are missing or null, their features are left out.
OPTIONAL = {"unknown_tokens": pa.types.is_integer, "novelty": pa.types.is_floating}
FIX = "build the monitor's image from a complete artifact"


class Card(ModelCard):
    """The part of the model card that monitoring depends on."""

    required_files: ClassVar[frozenset[str]] = frozenset({FILE})

    mlflow_run_id: str | None = None
    created_at: AwareDatetime | None = None


@dataclass(frozen=True)
class Reference:
    """A verified reference: the model card, a table with a column per feature, and which rows are correct."""

    card: Card
    table: pd.DataFrame  # with the texts
    correct: NDArray[np.bool_]  # per row: whether the prediction is the label


def read_reference(folder: Path) -> Reference:
    """Read and verify card and reference; raises MonitorError that names the file and the fault."""
    path = folder / FILE
    try:
        card = read_card(folder, Card)
        content = read_file(folder, FILE, card)
    except ModelError as error:
        raise MonitorError("reference", f"{folder}: {error}: {FIX}") from None
    try:
        read = pq.read_table(pa.BufferReader(content))
    except pa.ArrowException as error:
        raise MonitorError("reference", f"{path} cannot be read ({type(error).__name__}): {FIX}") from None
    table = _tabulate(read, card.labels, path)
    return Reference(card, table, np.array(table["sentiment"] == read.column("label").to_pylist()))


def tabulate_logged(rows: Sequence[Row[Any]], labels: Sequence[str]) -> pd.DataFrame:
    """Return logged predictions as a table of features; raises MonitorError if their labels differ."""
    known = set(labels)
    if foreign := sum(row.probabilities.keys() != known for row in rows):
        raise MonitorError(
            "schema",
            f"{foreign} of {len(rows)} logged predictions have other labels than the model card "
            f"({', '.join(labels)}): the API and the monitor were built from different artifacts",
        )
    probabilities = np.array([[row.probabilities[label] for label in labels] for row in rows])
    names = (*(name for name in COLUMNS if name not in ("label", "probabilities")), *OPTIONAL)
    return tabulate({name: [getattr(row, name) for row in rows] for name in names}, probabilities)


def _tabulate(read: pa.Table, labels: Sequence[str], path: Path) -> pd.DataFrame:
    types = {field.name: field.type for field in read.schema}
    if wrong := [name for name, fits in COLUMNS.items() if name not in types or not fits(types[name])]:
        raise MonitorError("schema", f"{path} lacks {', '.join(wrong)}, or its type is wrong: {FIX}")
    present = [name for name, fits in OPTIONAL.items() if name in types and fits(types[name])]
    columns = {name: read.column(name).to_pylist() for name in (*COLUMNS, *present)}
    columns.pop("label")
    probabilities = columns.pop("probabilities")
    if not probabilities or any(row is None or len(row) != len(labels) for row in probabilities):
        raise MonitorError("schema", f"{path} has rows without one probability per label: {FIX}")
    if foreign := set(columns["sentiment"]) - set(labels):
        raise MonitorError("schema", f"{path} has {len(foreign)} labels that its model card lacks: {FIX}")
    return tabulate(columns, _matrix(probabilities))


def _matrix(rows: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    return np.array(rows, dtype=np.float64)
