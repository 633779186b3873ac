"""The training state machine of the template, executed against a fake SageMaker."""

import pytest

from functions.registrar.runs import FinishedRun
from tests.cdk.training.conftest import SUBSTITUTIONS
from tests.fixtures.step_functions import (
    Cloud,
    Json,
    Refused,
    channels,
    execute,
    failed_job,
    output_of,
    raise_,
)


def test_an_empty_input_searches_fine_tunes_exports_and_registers(cloud: Cloud, definition: str) -> None:
    cloud.answer = {"model_version": "20261124-1"}
    run = execute(definition, {})
    search, fine_tune, export = cloud.jobs
    assert (run.status, run.output, run.messages) == ("SUCCEEDED", {"model_version": "20261124-1"}, [])
    assert [job["HyperParameters"] for job in cloud.jobs] == [
        {"job": "search", "trials": "20"},
        {"job": "fine_tune"},
        {"job": "export"},
    ]
    assert "InputDataConfig" not in search
    assert channels(fine_tune) == {"search": output_of(search)}
    assert channels(export) == {"checkpoint": output_of(fine_tune)}
    (event,) = cloud.events
    assert event["action"] == "register_run"
    assert event["execution"] == "run-1"
    assert event["model_uri"] == output_of(export)


def test_hyperparameters_and_data_of_the_input_reach_every_job_as_strings(
    cloud: Cloud, definition: str
) -> None:
    given = {
        "hyperparameters": {"epochs": 2, "learning_rate": "2e-4"},
        "trials": 5,
        "data_uri": "s3://a/data/x",
    }
    assert execute(definition, given).status == "SUCCEEDED"
    search, fine_tune, export = cloud.jobs
    assert search["HyperParameters"] == {
        "epochs": "2",
        "learning_rate": "2e-4",
        "job": "search",
        "trials": "5",
    }
    assert fine_tune["HyperParameters"] == {"epochs": "2", "learning_rate": "2e-4", "job": "fine_tune"}
    assert [channels(job).get("training") for job in cloud.jobs] == ["s3://a/data/x"] * 3
    assert set(channels(export)) == {"training", "checkpoint"}


def test_extra_training_rows_reach_every_job_and_the_registrar(cloud: Cloud, definition: str) -> None:
    extra = "s3://artifacts/training/feedback/2026-11-24.csv"
    assert execute(definition, {"extra_data_uri": extra, "reason": "drift"}).status == "SUCCEEDED"
    # The export too, or its data would differ from the checkpoint's.
    assert [channels(job).get("extra") for job in cloud.jobs] == [extra] * 3
    assert all("training" not in channels(job) for job in cloud.jobs)
    assert FinishedRun.model_validate(cloud.events[0]).extra_data_uri == extra


def test_the_search_can_be_skipped(cloud: Cloud, definition: str) -> None:
    assert execute(definition, {"search": False}).status == "SUCCEEDED"
    assert [job["HyperParameters"]["job"] for job in cloud.jobs] == ["fine_tune", "export"]
    assert channels(cloud.jobs[0]) == {}


def test_jobs_have_limits_encryption_isolation_and_spot_with_checkpoints(
    cloud: Cloud, definition: str
) -> None:
    execute(definition, {})
    search, fine_tune, export = cloud.jobs
    for job in (search, fine_tune):
        assert job["EnableManagedSpotTraining"] is True
        assert job["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 5400}
    assert search["CheckpointConfig"]["S3Uri"] == "s3://artifacts/training/run-1/search/checkpoints"
    assert fine_tune["CheckpointConfig"]["S3Uri"] == "s3://artifacts/training/run-1/fine-tune/checkpoints"
    assert export["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600}
    assert "EnableManagedSpotTraining" not in export
    assert [job["ResourceConfig"]["InstanceCount"] for job in cloud.jobs] == [1, 2, 1]
    assert [job["EnableInterContainerTrafficEncryption"] for job in cloud.jobs] == [False, True, False]
    assert all(job["EnableNetworkIsolation"] for job in cloud.jobs)
    assert all(job["OutputDataConfig"]["KmsKeyId"] == SUBSTITUTIONS["Key"] for job in cloud.jobs)
    # A g5 has a local encrypted disk and does not accept a key.
    assert [job["ResourceConfig"].get("VolumeKmsKeyId") for job in cloud.jobs] == [
        None,
        None,
        SUBSTITUTIONS["Key"],
    ]


def test_a_failed_gate_notifies_of_the_step_the_reason_and_where_to_look(
    cloud: Cloud, definition: str
) -> None:
    reason = 'AlgorithmError: no quantized candidate is good enough: "int8" loses 2.1 points, exit code: 3'
    cloud.script["export"] = [lambda request: raise_(failed_job(request, reason))]
    run = execute(definition, {})
    assert (run.status, run.error) == ("FAILED", "TrainingFailed")
    assert cloud.events == []  # nothing was registered
    (message,) = run.messages
    job = cloud.jobs[-1]["TrainingJobName"]
    assert message["Subject"] == "Training failed in staging"
    for part in (
        "at step export",
        reason,
        f"#/jobs/{job}",
        "execution:training:run-1",
        "\n\nRunbook: docs/operations.md#training-failed",
    ):
        assert part in message["Message"]
    assert message["MessageAttributes"]["kind"]["Value"] == "training_failed"


def test_a_registrar_that_cannot_reach_postgres_is_retried_and_then_reported(
    cloud: Cloud, definition: str
) -> None:
    cloud.script["lambda"] = [lambda _: raise_(Refused("DatabaseError", "Postgres is down"))] * 9
    run = execute(definition, {})
    assert (run.status, run.error) == ("FAILED", "TrainingFailed")
    assert len(cloud.events) == 5
    assert len({event["execution"] for event in cloud.events}) == 1  # so the registrar can recognize a retry
    assert "at step register" in run.messages[0]["Message"]
    assert "Postgres is down" in run.messages[0]["Message"]


def test_an_incomplete_artifact_is_not_retried(cloud: Cloud, definition: str) -> None:
    cloud.script["lambda"] = [lambda _: raise_(Refused("ModelError", "model.onnx is missing"))]
    run = execute(definition, {})
    assert run.status == "FAILED"
    assert len(cloud.events) == 1
    assert "model.onnx is missing" in run.messages[0]["Message"]


def test_the_event_is_valid_for_the_registrar(cloud: Cloud, definition: str) -> None:
    execute(definition, {"hyperparameters": {"epochs": 2}, "reason": "drift"})
    run = FinishedRun.model_validate(cloud.events[0])
    assert (run.execution, run.hyperparameters, run.reason) == ("run-1", {"epochs": "2"}, "drift")
    assert cloud.events[0].keys() - {"action"} <= FinishedRun.model_fields.keys()


@pytest.mark.parametrize(
    "given",
    [
        {"hyperparametres": {}},
        {"hyperparameters": "epochs=2"},
        {"search": "no"},
        {"trials": "many"},
        {"trials": 0},
        {"data_uri": "/data/reviews.csv"},
        {"extra_data_uri": "feedback.csv"},
    ],
    ids=str,
)
def test_an_invalid_input_starts_no_job(cloud: Cloud, definition: str, given: Json) -> None:
    run = execute(definition, given)
    assert (run.status, run.error) == ("FAILED", "TrainingFailed")
    assert cloud.jobs == []
    assert "hyperparameters (an object)" in run.messages[0]["Message"]
