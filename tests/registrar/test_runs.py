"""A finished run: its artifact in the bucket, its metrics in the database, and a notification."""

import json
from pathlib import Path

import pytest
from sentiment.database.deployments import active_deployment, record_deployment
from sentiment.database.models import DatasetMetric, ExperimentRun, ModelDeployment
from sentiment.database.session import transaction
from sentiment.exceptions import InvalidInputError, SentimentError
from sentiment.notifications import sns
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from functions.registrar.handler import handler
from tests.registrar.conftest import BUCKET, Cloud
from tests.registrar.registration import EVENT, Upload, card_of, edit_card, register, rows


def test_the_artifact_is_published_under_its_version(cloud: Cloud, output: Upload, artifact: Path) -> None:
    output()
    version = card_of(artifact)["model_version"]

    done = register()

    assert (done["model_version"], done["artifact_uri"]) == (version, f"s3://{BUCKET}/models/{version}/")
    assert cloud.objects() == {
        f"models/{version}/{path.name}": path.read_bytes() for path in artifact.iterdir()
    }
    assert json.dumps(done)  # the state machine's output


def test_the_run_its_data_and_a_candidate_are_recorded(
    cloud: Cloud, output: Upload, artifact: Path, database: Engine
) -> None:
    output()
    card = card_of(artifact)
    register(reason="drift in tokens")

    with transaction(database) as session:
        run = session.scalars(select(ExperimentRun)).one()
        assert (run.run_id, run.status, run.model_version) == (
            card["mlflow_run_id"],
            "FINISHED",
            card["model_version"],
        )
        assert run.parameters["learning_rate"] == "0.0002", "what the execution was given wins"
        assert run.metrics == card["metrics"]
        assert run.data_fingerprint == card["data"]["fingerprint"]
        assert run.started_at < run.ended_at
        splits = {row.split: row.rows for row in session.scalars(select(DatasetMetric))}
        assert splits == card["data"]["rows"]
        candidate = active_deployment(session, "candidate")
        assert candidate is not None
        assert (candidate.model_version, candidate.reason) == (card["model_version"], "drift in tokens")
        assert candidate.deployed_by == "training nightly-2026-11-23"
        assert active_deployment(session) is None, "a candidate serves nobody"


def test_without_mlflow_the_run_id_is_the_execution(
    cloud: Cloud, output: Upload, artifact: Path, database: Engine
) -> None:
    edit_card(artifact, mlflow_run_id=None)
    output()
    register()
    with Session(database) as session:
        assert session.scalars(select(ExperimentRun.run_id)).one() == EVENT["execution"]


def test_one_notification_announces_the_model(
    cloud: Cloud, output: Upload, artifact: Path, database: Engine
) -> None:
    with transaction(database) as session:
        champion = ModelDeployment(
            deployment_type="champion",
            model_version="20261001-0f0f0f0f",
            metrics={"int8": {"accuracy": 0.815}},
            artifact_uri="s3://elsewhere/",
            deployed_by="a test",
        )
        record_deployment(session, champion)
    output()
    register()

    (sent,) = cloud.published()
    card = card_of(artifact)
    assert sent["subject"] == f"Model {card['model_version']} is ready to be deployed"
    assert f"{100 * card['metrics']['int8']['accuracy']:.1f}% as served" in sent["message"]
    assert "Serving now: 20261001-0f0f0f0f, 81.5%" in sent["message"]
    assert f"Artifact: s3://{BUCKET}/models/{card['model_version']}/" in sent["message"]
    assert f"--follow {EVENT['execution_arn']}" in sent["message"]
    assert "no golden reviews" not in sent["message"]
    attributes = {name: value["Value"] for name, value in sent["attributes"].items()}
    assert attributes == {"kind": "model_registered", "severity": "info"}


def test_a_model_without_golden_reviews_is_announced_with_a_warning(
    cloud: Cloud, output: Upload, artifact: Path
) -> None:
    files = card_of(artifact)["files"]
    edit_card(artifact, files={name: file for name, file in files.items() if name != "golden.json"})
    output()
    register()
    assert "no golden reviews" in cloud.published()[0]["message"]
    assert not [key for key in cloud.objects() if key.endswith("golden.json")], "the card does not list it"


def test_registering_again_adds_nothing(cloud: Cloud, output: Upload, database: Engine) -> None:
    output()
    first = register()
    objects, counted = cloud.objects(), rows(database)
    assert register() == first
    assert (cloud.objects(), rows(database)) == (objects, counted)


def test_a_candidate_that_was_deployed_meanwhile_stays_retired(
    cloud: Cloud, output: Upload, artifact: Path, database: Engine
) -> None:
    output()
    register()
    deployment = {
        "model_version": card_of(artifact)["model_version"],
        "function_version": "2",
        "deployed_by": "a test",
    }
    handler({"action": "record_deployment", "deployment": deployment}, None)
    register()
    with transaction(database) as session:
        assert active_deployment(session, "candidate") is None
        assert active_deployment(session) is not None


def test_a_registration_that_failed_halfway_can_be_retried(
    cloud: Cloud, output: Upload, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    output()
    with monkeypatch.context() as patch:
        patch.setenv("DATABASE_HOST", "127.0.0.1")
        patch.setenv("DATABASE_PORT", "9")
        with pytest.raises(SentimentError, match="cannot be reached"):
            register()
    assert cloud.objects() and not any(rows(database).values()) and not cloud.published()

    from functions.registrar.handler import engine
    from functions.registrar.settings import settings

    engine().dispose()
    engine.cache_clear()
    settings.cache_clear()
    register()
    assert rows(database)["model_deployments"] == 1
    assert len(cloud.published()) == 1


def test_a_failed_notification_is_sent_by_the_next_attempt(
    cloud: Cloud, output: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    from functions.registrar.settings import settings

    output()
    with monkeypatch.context() as patch:
        patch.setenv("ALERT_TOPIC_ARN", cloud.topic + "-that-is-gone")
        settings.cache_clear()
        with pytest.raises(sns().exceptions.NotFoundException):
            register()
    settings.cache_clear()
    register()
    assert len(cloud.published()) == 1


@pytest.mark.parametrize(
    "changes", [{"model_uri": "https://elsewhere/model.tar.gz"}, {"model_uri": "s3://x"}, {"execution": ""}]
)
def test_an_invalid_event_is_rejected(cloud: Cloud, changes: dict[str, str]) -> None:
    with pytest.raises(InvalidInputError, match="|".join(changes)):
        register(**changes)
