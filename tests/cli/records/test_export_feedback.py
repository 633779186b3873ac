"""`sentiment export-feedback` writes labeled texts as a training file, without the test split."""

import csv
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sentiment.database.feedback import store_feedback
from sentiment.database.predictions import store_predictions
from sentiment.exceptions import ConfigurationError, InvalidInputError, ModelError
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from tests.fixtures.messages import feedback, prediction
from tests.fixtures.postgres import database, migrated_template, postgres
from training.config import configure
from training.data.prepare import prepare

__all__ = ["database", "migrated_template", "postgres"]

NOW = datetime.now(UTC).replace(microsecond=0)
HELD_OUT = "It was a long evening in the cinema, and none of us would have missed one minute of it."


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    """Return an artifact with only labels and a test split."""
    folder = tmp_path / "artifacts" / "model"
    folder.mkdir(parents=True)
    reference = folder / "reference.parquet"
    pq.write_table(pa.table({"text": [HELD_OUT], "label": ["positive"]}), reference)
    record = {
        "bytes": reference.stat().st_size,
        "sha256": hashlib.sha256(reference.read_bytes()).hexdigest(),
    }
    card = {
        "schema_version": 1,
        "model_version": "20261123-1a2b3c4d",
        "labels": ["negative", "positive"],
        "files": {reference.name: record},
    }
    (folder / "model.json").write_text(json.dumps(card))
    return folder


def label(database: Engine, text: str | None, label: str, hours_ago: float = 0, **changes: Any) -> str:
    """Store a prediction with feedback, and return its id."""
    made = prediction(NOW - timedelta(hours=hours_ago, minutes=1), text=text, **changes)
    given = feedback(made.prediction_id, label=label, given_at=NOW - timedelta(hours=hours_ago))
    with Session(database) as session, session.begin():
        store_predictions(session, [made])
        store_feedback(session, [given])
    return str(made.prediction_id)


def read(path: Path) -> list[dict[str, str]]:
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    if path.suffix == ".parquet":
        rows: list[dict[str, str]] = pq.read_table(path).to_pylist()
        return rows
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def export(run: Any, to: Path, *options: str) -> str:
    result = run("export-feedback", "--to", str(to), *options)
    if result.exception:
        raise result.exception
    return str(result.output)


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_labeled_texts_are_written_oldest_label_first(
    database: Engine, run: Any, artifact: Path, tmp_path: Path, kind: str
) -> None:
    newer = label(database, 'Café ☂, "quoted"\nand two lines', "negative", hours_ago=1)
    older = label(database, "A film to remember.", "positive", hours_ago=2)
    with Session(database) as session, session.begin():
        store_predictions(session, [prediction(text="without a label")])

    output = export(run, tmp_path / f"feedback.{kind}")

    assert "2 rows written" in output and "left out: none" in output
    rows = read(tmp_path / f"feedback.{kind}")
    assert rows == [
        {
            "text": "A film to remember.",
            "label": "positive",
            "prediction_id": older,
            "given_at": (NOW - timedelta(hours=2)).isoformat(),
        },
        {
            "text": 'Café ☂, "quoted"\nand two lines',
            "label": "negative",
            "prediction_id": newer,
            "given_at": (NOW - timedelta(hours=1)).isoformat(),
        },
    ]
    assert not list(tmp_path.glob(".*partial"))


def test_training_reads_the_exported_file(
    database: Engine, run: Any, artifact: Path, tmp_path: Path, reviews_csv: Path
) -> None:
    label(database, "Its makers should be proud.", "positive")
    label(database, "Its makers should be ashamed.", "negative")
    file = tmp_path / "feedback.parquet"
    export(run, file)
    data = prepare(configure(data=str(reviews_csv), extra_data=(file,)))
    assert data.sources["feedback.parquet"] == 2


def test_the_last_of_contradicting_labels_is_written(
    database: Engine, run: Any, artifact: Path, tmp_path: Path
) -> None:
    label(database, "Such   a FILM", "negative", hours_ago=1)
    label(database, "such a film", "positive", hours_ago=2)
    label(database, "such a<br />film", "negative", hours_ago=3)
    label(database, "another", "positive", hours_ago=4)
    label(database, "another", "positive", hours_ago=5)

    output = export(run, tmp_path / "feedback.csv")

    assert {row["text"]: row["label"] for row in read(tmp_path / "feedback.csv")} == {
        "another": "positive",
        "Such   a FILM": "negative",
    }
    assert "2 contradicted by a later label" in output
    assert "1 repeated" in output


def test_rows_of_the_test_split_and_their_near_duplicates_are_left_out(
    database: Engine, run: Any, artifact: Path, tmp_path: Path
) -> None:
    label(database, HELD_OUT.upper(), "negative")
    label(database, HELD_OUT.replace("cinema", "theater"), "negative")
    label(database, HELD_OUT + " Nor would you, I should think.", "negative")
    label(database, "It was a long evening.", "negative")

    output = export(run, tmp_path / "feedback.csv")

    assert [row["text"] for row in read(tmp_path / "feedback.csv")] == ["It was a long evening."]
    assert "left out: 3 that equal or nearly equal a row of the test split" in output


def test_labels_are_filtered_by_time_and_by_model_version(
    database: Engine, run: Any, artifact: Path, tmp_path: Path
) -> None:
    label(database, "old", "positive", hours_ago=30)
    label(database, "new", "positive", hours_ago=2, model_version="v1")
    label(database, "newer", "positive", hours_ago=1, model_version="v2")
    file = tmp_path / "feedback.csv"

    export(run, file, "--since", (NOW - timedelta(hours=3)).isoformat())
    assert [row["text"] for row in read(file)] == ["new", "newer"]
    export(run, file, "--since", (NOW - timedelta(hours=3)).isoformat(), "--model-version", "v2")
    assert [row["text"] for row in read(file)] == ["newer"]
    export(run, file, "--since", f"{NOW - timedelta(days=3):%Y-%m-%d}")
    assert len(read(file)) == 3


def test_labels_of_another_model_are_left_out(
    database: Engine, run: Any, artifact: Path, tmp_path: Path
) -> None:
    label(database, "fine", "four stars")
    label(database, "fine too", "positive")
    assert "1 with a label that the model does not have" in export(run, tmp_path / "feedback.csv")


@pytest.mark.usefixtures("artifact")
def test_without_texts_or_labels_it_gives_the_reason_and_keeps_the_file(
    database: Engine, run: Any, tmp_path: Path
) -> None:
    file = tmp_path / "feedback.csv"
    file.write_text("as it was")
    with pytest.raises(InvalidInputError, match="no matching prediction is labeled"):
        export(run, file)
    label(database, None, "positive")
    with pytest.raises(InvalidInputError, match=r"all 1 labeled predictions .* PRIVACY_MODE=hashed"):
        export(run, file)
    label(database, HELD_OUT, "positive")
    with pytest.raises(InvalidInputError, match="no rows to write; left out: 1 that equal"):
        export(run, file)
    assert file.read_text() == "as it was"


def test_invalid_options_and_artifacts_are_errors(
    database: Engine, run: Any, artifact: Path, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInputError, match=r"must end in \.csv, \.parquet, \.jsonl"):
        export(run, tmp_path / "feedback.xlsx")
    with pytest.raises(ConfigurationError, match="is not a folder"):
        export(run, tmp_path / "nowhere" / "feedback.csv")
    with pytest.raises(InvalidInputError, match="--since: give a date"):
        export(run, tmp_path / "feedback.csv", "--since", "yesterday")
    with pytest.raises(ModelError, match="is not an artifact"):
        export(run, tmp_path / "feedback.csv", "--artifact", str(tmp_path))
    (artifact / "reference.parquet").write_bytes(b"cut short")
    with pytest.raises(ModelError, match="is damaged"):
        export(run, tmp_path / "feedback.csv")
