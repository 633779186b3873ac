"""`sentiment promote`, `rollback` on this machine, and `audit`."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sentiment.database.feedback import store_feedback
from sentiment.database.predictions import store_predictions
from sentiment.database.session import DatabaseSettings, make_engine
from sentiment.exceptions import ConfigurationError, DatabaseError
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from cli.monitoring.reports_client import UnreachableError
from cli.training.promote import NOT_PROMOTED
from functions.migrations.partitions import maintain_partitions
from functions.migrations.schema import upgrade
from local.deployment import read_card, record_champion
from local.postgres.server import running_postgres
from local.state import write_environment
from tests.fixtures.artifacts import publish
from tests.fixtures.messages import feedback, prediction
from tests.fixtures.postgres import database, migrated_template, postgres
from training.export.artifact import champion_of, link_champion
from training.registry.registry import promotions

__all__ = ["database", "migrated_template", "postgres"]

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's use of SQLAlchemy


@pytest.fixture
def artifacts(
    tmp_path: Path, tiny_artifact: Path, experiment_store: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Return a folder in which `old` serves and `new`, which gives the same predictions, is a candidate."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = tmp_path / "artifacts"
    folder.mkdir()
    shutil.copy(experiment_store, folder / "mlflow.db")
    publish(folder, tiny_artifact, "old", created_at="2026-11-01T00:00:00+00:00")
    publish(folder, tiny_artifact, "new", created_at="2026-11-02T00:00:00+00:00")
    link_champion(folder, "old")
    return folder


def test_a_candidate_that_is_as_good_is_promoted(run: Any, artifacts: Path) -> None:
    result = run("promote")
    assert result.exit_code == 0, result.output
    assert champion_of(artifacts) == "new"
    assert "difference +0.0 points (95% interval +0.0 to +0.0)" in result.output
    assert "there is no database yet, so no labeled predictions were compared" in result.output
    [decision] = promotions(artifacts)
    assert (decision.action, decision.model_version, decision.replaced) == ("promoted", "new", "old")


def test_labeled_predictions_are_compared_too(
    run: Any, artifacts: Path, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [prediction(text=f"A film about rain and {thing}.") for thing in ("wind", "snow", "hail")]
    with Session(database) as session, session.begin():
        store_predictions(session, made)
        store_feedback(session, [feedback(one.prediction_id, label="negative") for one in made])
    result = run("promote")
    assert result.exit_code == 0, result.output
    assert "3 labeled predictions" in result.output


def test_labels_of_a_stopped_local_system_are_compared(run: Any, artifacts: Path, empty_folder: Path) -> None:
    up = empty_folder / ".local" / "up"
    with running_postgres(up / "postgres", password="p", durable=False) as server:
        write_environment(up / "secrets.env", {"DATABASE_PASSWORD": "p"})
        early = run("promote")
        assert "is in use by another running process" in str(early.exception), (
            "another process owns the folder"
        )
        values = {name.lower(): value for name, value in server.environment().items()}
        engine = make_engine(DatabaseSettings.model_validate(values))
        with engine.begin() as connection:
            upgrade(connection)
            maintain_partitions(connection, today=datetime.now(UTC).date(), retention_months=1)
        made = prediction(datetime.now(UTC), text="A film about rain and wind.")
        with Session(engine) as session, session.begin():
            store_predictions(session, [made])
            store_feedback(session, [feedback(made.prediction_id, label="negative")])
        engine.dispose()
    result = run("promote")
    assert result.exit_code == 0, result.output
    assert "1 labeled predictions" in result.output


def test_a_missing_database_is_named(
    run: Any, artifacts: Path, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_NAME", "gone")
    result = run("promote")
    assert isinstance(result.exception, DatabaseError)
    assert 'database "gone" does not exist' in str(result.exception)
    assert champion_of(artifacts) == "old"


def test_a_candidate_that_cannot_be_compared_can_be_forced(run: Any, artifacts: Path) -> None:
    with (artifacts / "models" / "old" / "model.onnx").open("ab") as file:
        file.write(b"x")
    assert "does not match the hash in its model card" in str(run("promote", "new").exception)
    forced = run("promote", "new", "--force", "--why", "the disk ate the old one")
    assert forced.exit_code == 0, forced.output
    assert "not compared: " in forced.output
    [decision] = promotions(artifacts)
    assert (decision.action, decision.comparison, champion_of(artifacts)) == ("forced", None, "new")


def test_a_worse_candidate_is_promoted_only_by_force_with_a_reason(
    run: Any, artifacts: Path, tiny_artifact: Path
) -> None:
    publish(artifacts, tiny_artifact, "wrong", wrong=True, created_at="2026-11-03T00:00:00+00:00")
    refused = run("promote")
    assert refused.exit_code == NOT_PROMOTED
    assert "not promoted: wrong may be" in refused.output
    assert (champion_of(artifacts), promotions(artifacts)) == ("old", [])
    assert run("promote", "--force").exit_code == 2
    assert run("promote", "--force", "--why", " ").exit_code == 2
    assert champion_of(artifacts) == "old"
    forced = run("promote", "wrong", "--force", "--why", "half the latency")
    assert forced.exit_code == 0, forced.output
    [decision] = promotions(artifacts)
    assert (decision.action, decision.why, champion_of(artifacts)) == ("forced", "half the latency", "wrong")
    assert decision.comparison and decision.comparison["difference"] < -0.5


def test_rollback_restores_the_previous_champion(run: Any, artifacts: Path) -> None:
    nothing = run("rollback", "--why", "slow")
    assert isinstance(nothing.exception, ConfigurationError)
    assert "no model served before" in str(nothing.exception)
    run("promote")
    back = run("rollback", "--why", "wrong on negations")
    assert back.exit_code == 0, back.output
    assert champion_of(artifacts) == "old"
    assert [one.action for one in promotions(artifacts)] == ["promoted", "rolled_back"]
    again = run("promote")
    assert "no candidate" in str(again.exception), "a rolled back version is not the default"
    assert run("promote", "new").exit_code == 0, "but it can be named"


def test_promoting_the_champion_changes_nothing(run: Any, artifacts: Path) -> None:
    result = run("promote", "old")
    assert (result.exit_code, result.output.strip()) == (0, "old is already the champion")
    assert promotions(artifacts) == []


def test_without_a_champion_only_the_gate_decides(run: Any, artifacts: Path) -> None:
    (artifacts / "model").unlink()
    assert run("promote", "new").exit_code == 0
    assert champion_of(artifacts) == "new"


@pytest.mark.parametrize("version", ["gone", "../models/new", "new/"])
def test_an_invalid_version_is_an_error(run: Any, artifacts: Path, version: str) -> None:
    result = run("promote", version)
    assert result.exit_code == 1
    assert "model.json is missing" in str(result.exception) or "is not a version" in str(result.exception)
    assert champion_of(artifacts) == "old"


# audit


def test_an_audit_shows_who_promoted_the_model_and_why(run: Any, artifacts: Path, database: Engine) -> None:
    run("promote", "--why", "fewer errors on negations")
    card = read_card(artifacts / "model")
    deployment = record_champion(database, artifacts / "model", card)
    made = prediction(datetime.now(UTC), model_version="new", deployment_id=deployment)
    with Session(database) as session, session.begin():
        store_predictions(session, [made])
    [decision] = promotions(artifacts)
    result = run("audit", str(made.prediction_id))
    assert result.exit_code == 0, result.output
    lines = dict(line.split("  ", 1) for line in result.output.splitlines())
    shown = {name.strip(): value.strip() for name, value in lines.items()}
    assert shown["model"] == "new"
    assert shown["trained on"] == card["data"]["fingerprint"]
    assert shown["MLflow run"] == card["mlflow_run_id"]
    assert shown["promoted by"] == decision.by
    assert shown["reason"].startswith("fewer errors on negations; +0.0%")
    assert shown["artifact"] == (artifacts / "models" / "new").as_uri()
    assert shown["image"] == "not recorded"
    whole = json.loads(run("audit", str(made.prediction_id), "--json").output)
    assert whole["run"]["metrics"] == card["metrics"]


def test_an_audit_of_an_unknown_prediction_is_an_error(run: Any, database: Engine) -> None:
    malformed = run("audit", "7")
    assert "7 is not a prediction id" in str(malformed.exception)
    missing = run("audit", "01a21116-2b7f-7784-b423-8ade2a464c58")
    assert isinstance(missing.exception, UnreachableError)
    assert "is not stored" in str(missing.exception)
    nowhere = run("audit", "01a21116-2b7f-7784-b423-8ade2a464c58", "--url", "http://127.0.0.1:9")
    assert "cannot be reached" in str(nowhere.exception)
