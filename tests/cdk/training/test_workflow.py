"""The training state machine of the template, executed against a fake SageMaker."""

import json

import pytest

from functions.registrar.runs import FinishedRun
from tests.fixtures.step_functions import (
    Cloud,
    Json,
    Refused,
    completed_job,
    execute,
    failed_job,
    stopped_job,
)
from tests.fixtures.templates import RICH, resources, synthesize

SUBSTITUTIONS = {
    "Bucket": "artifacts",
    "Image": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/training:1",
    "Key": "arn:aws:kms:eu-central-1:123456789012:key/k",
    "Region": "eu-central-1",
    "Registrar": "arn:aws:lambda:eu-central-1:123456789012:function:registrar",
    "TrainingRole": "arn:aws:iam::123456789012:role/jobs",
}


@pytest.fixture(scope="module")
def definition() -> str:
    """The template's definition, with its own strings and this test's ARNs substituted."""
    (machine,) = resources(synthesize(RICH)["Training"], "AWS::StepFunctions::StateMachine")
    text: str = machine["DefinitionString"]
    for name, value in machine["DefinitionSubstitutions"].items():
        if name != "Topic":
            text = text.replace(f"${{{name}}}", SUBSTITUTIONS.get(name) or value)
    return text


def channels(job: Json) -> dict[str, str]:
    return {
        channel["ChannelName"]: channel["DataSource"]["S3DataSource"]["S3Uri"]
        for channel in job.get("InputDataConfig", [])
    }


def output_of(job: Json) -> str:
    return completed_job(job)["ModelArtifacts"]["S3ModelArtifacts"]


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


@pytest.mark.parametrize("job", ["search", "fine_tune"])
def test_a_failed_job_is_not_retried(cloud: Cloud, definition: str, job: str) -> None:
    reason = "AlgorithmError: unknown hyperparameter epoch, exit code: 2"
    cloud.script[job] = [lambda request: raise_(failed_job(request, reason))]
    run = execute(definition, {})
    assert (run.status, run.error) == ("FAILED", "TrainingFailed")
    assert [request["HyperParameters"]["job"] for request in cloud.jobs].count(job) == 1
    assert cloud.jobs[-1]["HyperParameters"]["job"] == job
    assert reason in run.messages[0]["Message"]


@pytest.mark.parametrize("as_error", [True, False], ids=["as an error", "as a result"])
def test_a_job_without_spot_capacity_resumes_on_demand_from_its_checkpoints(
    cloud: Cloud, definition: str, as_error: bool
) -> None:
    def interrupt(request: Json) -> Json:
        description = stopped_job(request, "MaxWaitTimeExceeded")
        if as_error:
            raise Refused("States.TaskFailed", json.dumps(description))
        return description

    cloud.script["fine_tune"] = [interrupt]
    run = execute(definition, {})
    assert run.status == "SUCCEEDED"
    first, second = [job for job in cloud.jobs if job["HyperParameters"]["job"] == "fine_tune"]
    assert (first["EnableManagedSpotTraining"], second["EnableManagedSpotTraining"]) == (True, False)
    assert second["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600}
    assert second["CheckpointConfig"] == first["CheckpointConfig"]
    assert second["TrainingJobName"] != first["TrainingJobName"]
    assert channels(cloud.jobs[-1])["checkpoint"] == output_of(second)


def test_a_job_that_reached_its_limit_fails_and_is_not_retried(cloud: Cloud, definition: str) -> None:
    cloud.script["fine_tune"] = [lambda request: stopped_job(request, "MaxRuntimeExceeded")]
    run = execute(definition, {})
    assert run.status == "FAILED"
    assert len(cloud.jobs) == 2
    assert "MaxRuntimeExceeded" in run.messages[0]["Message"]


def test_without_capacity_a_job_waits_with_backoff(cloud: Cloud, definition: str) -> None:
    reason = "CapacityError: Unable to provision requested ML compute capacity."
    cloud.script["search"] = [lambda request: raise_(failed_job(request, reason))] * 2
    run = execute(definition, {})
    assert run.status == "SUCCEEDED"
    assert cloud.waits == [300, 600]
    assert len({job["TrainingJobName"] for job in cloud.jobs}) == 5


def test_without_capacity_for_some_hours_the_execution_fails(cloud: Cloud, definition: str) -> None:
    reason = "CapacityError: Unable to provision requested ML compute capacity."
    cloud.script["search"] = [lambda request: raise_(failed_job(request, reason))] * 9
    run = execute(definition, {})
    assert run.status == "FAILED"
    assert cloud.waits == [300, 600, 1200, 2400, 4800]
    assert reason in run.messages[0]["Message"]


QUOTA = (
    "The account-level service limit 'ml.g5.xlarge for training job usage' is {} Instances, with current "
    "utilization of {} Instances and a request delta of 1 Instances. (Service: SageMaker, Status Code: 400)"
)


def test_a_job_waits_while_other_jobs_use_up_the_quota(cloud: Cloud, definition: str) -> None:
    refused = Refused("SageMaker.ResourceLimitExceededException", QUOTA.format(10, 10))
    cloud.script["search"] = [lambda _: raise_(refused)] * 2
    assert execute(definition, {}).status == "SUCCEEDED"
    assert cloud.waits == [300, 600]


def test_a_quota_of_zero_fails_immediately(cloud: Cloud, definition: str) -> None:
    refused = Refused("SageMaker.ResourceLimitExceededException", QUOTA.format(0, 0))
    cloud.script["search"] = [lambda _: raise_(refused)] * 9
    run = execute(definition, {})
    assert (run.status, run.error) == ("FAILED", "TrainingFailed")
    assert (len(cloud.jobs), cloud.waits) == (1, [])
    assert "is 0 Instances" in run.messages[0]["Message"]


@pytest.mark.parametrize("error", ["SageMaker.ThrottlingException", "SageMaker.AmazonSageMakerException"])
def test_a_throttled_request_is_retried_with_backoff(cloud: Cloud, definition: str, error: str) -> None:
    cloud.script["search"] = [lambda _: raise_(Refused(error, "Rate exceeded"))] * 3
    run = execute(definition, {})
    assert run.status == "SUCCEEDED"
    assert len(cloud.waits) == 3
    assert len(cloud.jobs) == 6


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


def raise_(error: Exception) -> Json:
    raise error
