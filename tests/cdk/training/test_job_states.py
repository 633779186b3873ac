"""A job that fails, is stopped or finds no capacity: retried, continued on demand, or reported."""

import json

import pytest

from tests.fixtures.step_functions import (
    Cloud,
    Json,
    Refused,
    channels,
    execute,
    failed_job,
    output_of,
    raise_,
    stopped_job,
)

QUOTA = (
    "The account-level service limit 'ml.g5.xlarge for training job usage' is {} Instances, with current "
    "utilization of {} Instances and a request delta of 1 Instances. (Service: SageMaker, Status Code: 400)"
)


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
