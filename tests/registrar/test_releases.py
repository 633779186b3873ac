"""Releases and rollbacks as rows: one champion at a time, and a history that never changes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sentiment.database.deployments import active_deployment
from sentiment.database.models import ModelDeployment
from sentiment.deployments import deployment_id_of
from sentiment.exceptions import ConfigurationError, InvalidInputError
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from functions.registrar.handler import handler
from functions.registrar.settings import settings
from tests.registrar.conftest import BUCKET, Cloud

EVENTS = Path(__file__).parents[2] / "events"
IMAGE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/api@sha256:" + "0f" * 32


def release(function_version: str, **changes: Any) -> dict[str, Any]:
    deployment = {
        "id": str(deployment_id_of("eu-central-1", "api", function_version)),
        "model_version": f"2026112{function_version}-1a2b3c4d",
        "metrics": {"int8": {"accuracy": 0.88}},
        "image_uri": IMAGE,
        "function_version": function_version,
        "deployed_by": "pipeline",
    }
    event = {"action": "record_deployment", "deployment": deployment | changes}
    row: dict[str, Any] = handler(event, None)["deployment"]
    return row


def roll_back(function_version: str, reason: str = "slow") -> dict[str, Any]:
    deployment = {"function_version": function_version, "reason": reason, "deployed_by": "operator"}
    row: dict[str, Any] = handler({"action": "record_rollback", "deployment": deployment}, None)["deployment"]
    return row


def ask(function_version: str, **more: str) -> dict[str, Any]:
    event = {"action": "previous_deployment", "function_version": function_version, **more}
    return handler(event, None)


def test_a_release_is_the_champion_with_the_id_of_its_predictions(cloud: Cloud, database: Engine) -> None:
    release("1", image_digest="sha256:" + "0f" * 32)
    with Session(database) as session:
        champion = active_deployment(session)
        assert champion is not None
        assert champion.id == deployment_id_of("eu-central-1", "api", "1")
        assert (champion.function_version, champion.image_digest) == ("1", "sha256:" + "0f" * 32)
        assert champion.reason is None


def test_the_artifact_uri_is_the_bucket_or_else_the_image(cloud: Cloud) -> None:
    assert release("1")["artifact_uri"] == IMAGE
    cloud.s3.put_object(Bucket=BUCKET, Key="models/20261122-1a2b3c4d/model.json", Body=b"{}")
    assert release("2")["artifact_uri"] == f"s3://{BUCKET}/models/20261122-1a2b3c4d/"
    with pytest.raises(
        InvalidInputError, match=r"the artifact of .* is not in the bucket; give artifact_uri or image_uri"
    ):
        release("3", image_uri=None)


def test_recording_a_release_again_adds_nothing(cloud: Cloud, database: Engine) -> None:
    assert release("1") == release("1")
    with Session(database) as session:
        assert len(session.scalars(select(ModelDeployment)).all()) == 1


def test_a_version_released_again_after_another_gets_a_new_row(cloud: Cloud, database: Engine) -> None:
    first = release("1")
    release("2")
    again = release("1")
    assert again["id"] != first["id"]
    with Session(database) as session:
        kept = session.get(ModelDeployment, first["id"])
        assert kept is not None and not kept.is_active
        active = active_deployment(session)
        assert active is not None and active.function_version == "1"


def test_a_rollback_is_a_row_with_the_model_and_the_reason(cloud: Cloud, database: Engine) -> None:
    first = release("1")
    release("2")
    back = roll_back("1", "answers turned slow")
    copied = ("model_version", "metrics", "artifact_uri", "function_version")
    assert {name: back[name] for name in copied} == {name: first[name] for name in copied}
    assert (back["reason"], back["deployed_by"]) == ("answers turned slow", "operator")
    assert back["is_active"] and back["id"] != first["id"]
    with Session(database) as session:
        assert [row.is_active for row in session.scalars(select(ModelDeployment))].count(True) == 1


def test_recording_a_rollback_again_adds_nothing(cloud: Cloud) -> None:
    release("1")
    release("2")
    assert roll_back("1") == roll_back("1")


def test_a_rollback_never_goes_to_the_version_that_was_rolled_back(cloud: Cloud) -> None:
    for version in ("1", "2", "3"):
        release(version)
    assert ask("3")["previous"]["function_version"] == "2"
    roll_back("2")
    answer = ask("2")
    assert answer["active"]["function_version"] == "2"
    assert answer["previous"]["function_version"] == "1"
    release("4")
    assert ask("4")["previous"]["function_version"] == "2"


def test_there_may_be_no_version_to_roll_back_to(cloud: Cloud) -> None:
    assert ask("1") == {"active": None, "previous": None}
    release("1")
    assert ask("1")["previous"] is None


def test_the_target_can_be_any_version_that_served(cloud: Cloud) -> None:
    release("1")
    release("2")
    assert ask("2", to="1")["previous"]["function_version"] == "1"
    with pytest.raises(InvalidInputError, match="version 9 was never recorded as a champion"):
        ask("2", to="9")
    with pytest.raises(InvalidInputError, match="version 9 was never recorded"):
        roll_back("9")


def test_the_history_is_listed_newest_first(cloud: Cloud) -> None:
    release("1")
    release("2")
    listed = handler({"action": "list_deployments"}, None)["deployments"]
    assert [row["function_version"] for row in listed] == ["2", "1"]
    assert json.dumps(listed)


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        ({}, "action None: use register_run, record_deployment"),
        ({"action": "drop_everything"}, "use register_run"),
        ({"action": "record_deployment"}, "invalid event"),
        ({"action": "record_deployment", "deployment": {"deployed_by": "x"}}, "model_version"),
        ({"action": "previous_deployment", "function_version": "$LATEST"}, "function_version"),
        ({"action": "previous_deployment", "function_version": "1; DROP TABLE x"}, "function_version"),
        (
            {
                "action": "record_rollback",
                "deployment": {"function_version": "1", "reason": "", "deployed_by": "x"},
            },
            "reason",
        ),
    ],
)
def test_an_invalid_event_is_rejected_with_the_field(
    cloud: Cloud, event: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InvalidInputError, match=problem):
        handler(event, None)


def test_a_column_that_the_database_sets_is_rejected(cloud: Cloud) -> None:
    with pytest.raises(InvalidInputError, match="retired_at"):
        release("1", retired_at="2026-11-23T00:00:00Z")


@pytest.mark.parametrize(
    "name", ["record_deployment", "record_rollback", "previous_deployment", "list_deployments"]
)
def test_the_example_events_are_handled(cloud: Cloud, name: str) -> None:
    release("6", id=str(uuid4()))
    release("7", id=str(uuid4()))
    assert handler(json.loads((EVENTS / f"registrar_{name}.json").read_text()), None)


def test_missing_settings_are_named(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ARTIFACT_BUCKET")
    settings.cache_clear()
    with pytest.raises(ConfigurationError, match="ARTIFACT_BUCKET: is not set"):
        settings()


def test_imports_only_what_its_group_installs() -> None:
    foreign = ["torch", "fastapi", "onnxruntime", "transformers", "pandas", "numpy", "mlflow", "alembic"]
    code = f"import sys, functions.registrar.handler; print([m for m in {foreign} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
