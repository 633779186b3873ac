"""The states that run one training job: which errors are retried, and when capacity is waited for."""

from typing import Any

from cdk.training.jobs import Job
from cdk.training.jsonata import expression, literal

RUN_JOB = "arn:aws:states:::sagemaker:createTrainingJob.sync"
CAPACITY_WAITS = 5  # of 5, 10, 20, 40 and 80 minutes
CAPACITY_WAIT_SECONDS = 300


def job_states(
    name: str, job: Job, request: dict[str, Any], *, output: str, on_success: str, on_failure: str
) -> dict[str, Any]:
    """Build the states that run one job until it completes or another attempt would not help.

    They assign the artifact's S3 URI to the variable `output`, and how the job ended to `outcome`.
    """
    check = f"{name} completed?"
    wait = f"Wait for capacity to {name.lower()}"
    rules: list[dict[str, Any]] = [
        {"Condition": expression("$outcome.status = 'Completed'"), "Next": on_success}
    ]
    if job.spot_wait_seconds is not None:
        rules.append(
            {
                "Condition": expression("$spot and $outcome.secondary = 'MaxWaitTimeExceeded'"),
                "Assign": {"spot": False},
                "Next": name,
            }
        )
    rules.append(
        {
            "Condition": expression(f"{_NO_CAPACITY} and $capacityWaits < {CAPACITY_WAITS}"),
            "Assign": {"capacityWaits": expression("$capacityWaits + 1")},
            "Next": wait,
        }
    )
    return {
        name: {
            "Type": "Task",
            "Resource": RUN_JOB,
            "Arguments": expression(literal(request)),
            "Assign": {
                output: expression(
                    "$states.result.TrainingJobStatus = 'Completed'"
                    " ? $states.result.ModelArtifacts.S3ModelArtifacts : null"
                ),
                "outcome": expression(f"($job := $states.result; {_outcome(job)})"),
            },
            # Throttling, and every error response of SageMaker without a name of its own.
            "Retry": [retry(["SageMaker.AmazonSageMakerException", "SageMaker.ThrottlingException"], 5, 5)],
            "Catch": [
                {
                    "ErrorEquals": ["States.ALL"],
                    "Assign": {"outcome": expression(f"({_FAILED_JOB} {_outcome(job)})")},
                    "Next": check,
                }
            ],
            "Next": check,
        },
        check: {"Type": "Choice", "Choices": rules, "Default": on_failure},
        wait: {
            "Type": "Wait",
            "Seconds": expression(f"{CAPACITY_WAIT_SECONDS} * $power(2, $capacityWaits - 1)"),
            "Next": name,
        },
    }


# No instance is free, or other jobs use up the quota for now. A quota of zero stays one.
_NO_CAPACITY = (
    "$contains($outcome.reason, /CapacityError|ResourceLimitExceeded/)"
    " and $not($contains($outcome.reason, /limit .* is 0 Instances/))"
)
# The cause of a failed job is its description in JSON; that of a rejected request is a sentence.
_FAILED_JOB = (
    "$cause := $states.errorOutput.Cause;"
    " $job := $substring($cause, 0, 1) = '{' ? $parse($cause)"
    " : {'FailureReason': $states.errorOutput.Error & ': ' & $cause};"
)


def _outcome(job: Job) -> str:
    """Write the JSONata that extracts how a job ended from its description in `$job`."""
    return (
        f"{{'job': '{job.label}', 'name': $job.TrainingJobName ? $job.TrainingJobName : '',"
        " 'status': $job.TrainingJobStatus ? $job.TrainingJobStatus : 'Failed',"
        " 'secondary': $job.SecondaryStatus ? $job.SecondaryStatus : '',"
        " 'reason': $job.FailureReason ? $job.FailureReason :"
        " $job.SecondaryStatus ? $job.SecondaryStatus : ''}"
    )


def retry(errors: list[str], seconds: int, attempts: int) -> dict[str, Any]:
    """Build a retrier with exponential backoff."""
    return {
        "ErrorEquals": errors,
        "IntervalSeconds": seconds,
        "MaxAttempts": attempts,
        "BackoffRate": 2,
        "MaxDelaySeconds": 1800,
        "JitterStrategy": "FULL",
    }
