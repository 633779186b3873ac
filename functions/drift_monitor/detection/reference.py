"""The reference: held-out rows in the artifact, which show what traffic should look like to this model.

A reference that cannot be read raises MonitorError, which becomes an alert.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
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


class FileRecord(BaseModel):
    """The hash of a file when it was exported."""

    sha256: str


class Card(BaseModel):
    """The part of the model card that monitoring depends on."""

    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=())

    model_version: str = Field(min_length=1)
    labels: list[str] = Field(min_length=2)
    files: dict[str, FileRecord]
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
    card_path, path = folder / "model.json", folder / FILE
    for needed in (card_path, path):
        if not needed.is_file():
            raise MonitorError("reference", f"{needed} is missing: {FIX}")
    try:
        card = Card.model_validate_json(card_path.read_bytes())
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, problem["loc"])) or "card" for problem in error.errors())
        raise MonitorError("reference", f"{card_path} is not a model card ({fields}): {FIX}") from None
    content = path.read_bytes()
    if FILE not in card.files or hashlib.sha256(content).hexdigest() != card.files[FILE].sha256:
        raise MonitorError("reference", f"{path} does not match the hash in its model card: {FIX}")
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
