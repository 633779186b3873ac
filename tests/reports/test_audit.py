"""The audit of a prediction: the deployment and the training run behind it."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sentiment.database.models import ExperimentRun, ModelDeployment
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from tests.fixtures.messages import prediction
from tests.reports.client import NOW, get, store


def test_an_audit_names_the_deployment_and_the_run_behind_a_prediction(database: Engine) -> None:
    deployment = uuid4()
    (stored,) = store(database, prediction(deployment_id=deployment, model_version="v7"))
    with Session(database) as session, session.begin():
        session.add(
            ModelDeployment(
                id=deployment,
                deployment_type="champion",
                model_version="v7",
                metrics={"accuracy": 0.9},
                artifact_uri="s3://bucket/models/v7",
                image_digest="sha256:abc",
                function_version="12",
                deployed_by="pipeline",
                deployed_at=NOW - timedelta(hours=1),
            )
        )
        for run, minutes in (("run-1", 10), ("run-2", 5)):
            session.add(
                ExperimentRun(
                    run_id=run,
                    experiment="sentiment",
                    status="FINISHED",
                    parameters={},
                    metrics={},
                    data_fingerprint="fp",
                    model_version="v7",
                    started_at=NOW - timedelta(minutes=minutes),
                )
            )

    found = get(f"/reports/predictions/{stored}")

    assert found["prediction"]["id"] == stored
    assert found["prediction"]["text"] == "A film to remember, with a ☂ in it."
    assert (found["deployment"]["deployed_by"], found["deployment"]["is_active"]) == ("pipeline", True)
    assert (found["run"]["run_id"], found["run"]["data_fingerprint"]) == ("run-2", "fp")
    assert found["answered_by"] == {
        "model_version": "v7",
        "data_fingerprint": "fp",
        "mlflow_run_id": "run-2",
        "image_digest": "sha256:abc",
        "function_version": "12",
        "promoted_by": "pipeline",
        "promoted_at": found["deployment"]["deployed_at"],
        "reason": None,
    }


def test_an_audit_names_who_rolled_back_to_the_version_that_answered(
    database: Engine,
) -> None:
    released = uuid4()
    rows = [
        # (function version, hours ago, who)
        (released, "12", 5, "pipeline"),
        (uuid4(), "13", 4, "pipeline"),
        (uuid4(), "12", 3, "ada"),
        (uuid4(), "14", 1, "grace"),
    ]
    with Session(database) as session, session.begin():
        for id_, version, hours, person in rows:
            session.add(
                ModelDeployment(
                    id=id_,
                    deployment_type="champion",
                    model_version="v7",
                    metrics={},
                    artifact_uri="s3://bucket/models/v7",
                    image_digest=f"sha256:{version}",
                    function_version=version,
                    deployed_by=person,
                    deployed_at=NOW - timedelta(hours=hours),
                    is_active=False,
                    retired_at=NOW,
                )
            )
    promoted = {}
    for hours in (4.5, 2, 6):  # the last one as a canary, before its release was recorded
        (stored,) = store(
            database,
            prediction(NOW - timedelta(hours=hours), deployment_id=released, model_version="v7"),
        )
        answered_by = get(f"/reports/predictions/{stored}")["answered_by"]
        assert answered_by["image_digest"] == "sha256:12"
        promoted[hours] = answered_by["promoted_by"]
    assert promoted == {4.5: "pipeline", 2: "ada", 6: "pipeline"}


@pytest.mark.parametrize("deployment_id", [None, uuid4()])
def test_an_audit_has_null_for_what_was_never_recorded(database: Engine, deployment_id: UUID | None) -> None:
    (stored,) = store(database, prediction(deployment_id=deployment_id))
    found = get(f"/reports/predictions/{stored}")
    assert (found["deployment"], found["promotion"], found["run"]) == (None, None, None)
    assert {name for name, value in found["answered_by"].items() if value} == {"model_version"}
