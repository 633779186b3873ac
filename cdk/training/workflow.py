"""The training state machine in Amazon States Language: search, fine-tune, export and gate, register.

It is plain data, so that a test can execute it; `cdk/training/stack.py` fills in the `${Placeholders}` and
grants what the states do. The decisions here are what to retry and what to report.
"""

import json
from typing import Any

from cdk.training.jobs import Job, expression, literal, request

RUN_JOB = "arn:aws:states:::sagemaker:createTrainingJob.sync"
CAPACITY_WAITS = 5  # 5, 10, 20, 40 and 80 minutes
CAPACITY_WAIT_SECONDS = 300
INPUT = ("hyperparameters", "trials", "search", "data_uri", "extra_data_uri", "reason")
TRIALS = "20"
TOLD = "TrainingFailed"  # the error of an execution whose failure stands on the alert topic


def definition(
    *, search: Job, fine_tune: Job, export: Job, isolated: bool = True, mlflow: bool = False
) -> dict[str, Any]:
    """Build the state machine.

    The placeholders are ${Image} ${TrainingRole} ${Bucket} ${Key} ${Prefix} ${Environment} ${Registrar}
    ${Topic} ${Region} ${Runbook} and, with `mlflow`, ${Mlflow}.
    """
    # Every job reads the same data: the export must know the rows that it has no right to be measured on.
    data = (("training", "$dataUri"), ("extra", "$extraDataUri"))

    def body(job: Job, *channels: tuple[str, str]) -> dict[str, Any]:
        return request(job, [*data, *channels], isolated=isolated, mlflow=mlflow)

    states = {
        "Input understood?": {
            "Type": "Choice",
            "Choices": [{"Condition": expression(_UNDERSTOOD), "Next": "Read the input"}],
            "Default": "Refuse the input",
        },
        "Refuse the input": {
            "Type": "Pass",
            "Assign": {"ended": {"job": "input", "name": "", "status": "Refused", "reason": _REFUSAL}},
            "Next": "Tell",
        },
        "Read the input": {
            "Type": "Pass",
            "Assign": {
                "hyperparameters": expression(
                    "$merge([{}, $each($states.input.hyperparameters, function($v, $k) {{$k: $string($v)}})])"
                ),
                "trials": expression(
                    f"$exists($states.input.trials) ? $string($states.input.trials) : '{TRIALS}'"
                ),
                "search": expression("$exists($states.input.search) ? $states.input.search : true"),
                "dataUri": expression("$states.input.data_uri ? $states.input.data_uri : null"),
                "extraDataUri": expression(
                    "$states.input.extra_data_uri ? $states.input.extra_data_uri : null"
                ),
                "reason": expression("$states.input.reason ? $states.input.reason : null"),
                "searchOutput": None,
                "spot": True,
                "capacityWaits": 0,
            },
            "Next": "Search wanted?",
        },
        "Search wanted?": {
            "Type": "Choice",
            "Choices": [{"Condition": expression("$search"), "Next": "Search"}],
            "Default": "Fine-tune",
        },
        **_run("Search", search, body(search), keeps="searchOutput", then="Fine-tune"),
        **_run(
            "Fine-tune",
            fine_tune,
            body(fine_tune, ("search", "$searchOutput")),
            keeps="checkpoint",
            then="Export",
        ),
        **_run("Export", export, body(export, ("checkpoint", "$checkpoint")), keeps="model", then="Register"),
        "Register": _register(),
        "Done": {"Type": "Succeed"},
        "Tell": _tell(),
        "Failed": {
            "Type": "Fail",
            "Error": TOLD,
            "Cause": expression("$ended.job & ': ' & $ended.reason"),
        },
    }
    return {
        "Comment": "Optuna search, fine-tuning with its best parameters, export and gate, registration",
        "QueryLanguage": "JSONata",
        "StartAt": "Input understood?",
        "States": states,
    }


# A misspelt key would otherwise train for hours with the defaults.
_UNDERSTOOD = f"""(
$given := $states.input;
$count($filter($keys($given), function($k) {{ $not($k in {json.dumps(INPUT)}) }})) = 0
and ($not($exists($given.hyperparameters)) or $type($given.hyperparameters) = 'object')
and ($not($exists($given.search)) or $type($given.search) = 'boolean')
and ($not($exists($given.trials)) or $contains($string($given.trials), /^[1-9][0-9]?[0-9]?[0-9]?$/))
and ($given.data_uri ? $contains($string($given.data_uri), /^s3:/) : true)
and ($given.extra_data_uri ? $contains($string($given.extra_data_uri), /^s3:/) : true)
)""".replace("\n", " ")
_REFUSAL = (
    "the input may have hyperparameters (an object), trials (1 to 9999), search (true or false), data_uri "
    "and extra_data_uri (null or s3://…) and reason; nothing else"
)


def _run(name: str, job: Job, body: dict[str, Any], *, keeps: str, then: str) -> dict[str, Any]:
    """Build the states that run one job until it completes or is not worth another attempt."""
    ended = f"{name} completed?"
    wait = f"Wait for capacity to {name.lower()}"
    rules: list[dict[str, Any]] = [{"Condition": expression("$ended.status = 'Completed'"), "Next": then}]
    if job.spot_wait_seconds is not None:
        rules.append(
            {
                "Condition": expression("$spot and $ended.secondary = 'MaxWaitTimeExceeded'"),
                "Assign": {"spot": False},
                "Next": name,
            }
        )
    rules.append(
        {
            "Condition": expression(f"{_WORTH_WAITING} and $capacityWaits < {CAPACITY_WAITS}"),
            "Assign": {"capacityWaits": expression("$capacityWaits + 1")},
            "Next": wait,
        }
    )
    return {
        name: {
            "Type": "Task",
            "Resource": RUN_JOB,
            "Arguments": expression(literal(body)),
            "Assign": {
                keeps: expression(
                    "$states.result.TrainingJobStatus = 'Completed'"
                    " ? $states.result.ModelArtifacts.S3ModelArtifacts : null"
                ),
                "ended": expression(f"($job := $states.result; {_ended(job)})"),
            },
            # How Step Functions names throttling and everything that SageMaker answers on its side.
            "Retry": [_retry(["SageMaker.AmazonSageMakerException", "SageMaker.ThrottlingException"], 5, 5)],
            "Catch": [
                {
                    "ErrorEquals": ["States.ALL"],
                    "Assign": {"ended": expression(f"({_DESCRIBED} {_ended(job)})")},
                    "Next": ended,
                }
            ],
            "Next": ended,
        },
        ended: {"Type": "Choice", "Choices": rules, "Default": "Tell"},
        wait: {
            "Type": "Wait",
            "Seconds": expression(f"{CAPACITY_WAIT_SECONDS} * $power(2, $capacityWaits - 1)"),
            "Next": name,
        },
    }


# No machine is free, or other jobs, which end, take the quota up. Nothing ends a quota of none.
_WORTH_WAITING = (
    "$contains($ended.reason, /CapacityError|ResourceLimitExceeded/)"
    " and $not($contains($ended.reason, /limit .* is 0 Instances/))"
)
# The cause of a failed job is its description in JSON, that of a refused request is a sentence.
_DESCRIBED = (
    "$cause := $states.errorOutput.Cause;"
    " $job := $substring($cause, 0, 1) = '{' ? $parse($cause)"
    " : {'FailureReason': $states.errorOutput.Error & ': ' & $cause};"
)


def _ended(job: Job) -> str:
    """Write the JSONata that says how a job ended, from its description in `$job`."""
    return (
        f"{{'job': '{job.label}', 'name': $job.TrainingJobName ? $job.TrainingJobName : '',"
        " 'status': $job.TrainingJobStatus ? $job.TrainingJobStatus : 'Failed',"
        " 'secondary': $job.SecondaryStatus ? $job.SecondaryStatus : '',"
        " 'reason': $job.FailureReason ? $job.FailureReason :"
        " $job.SecondaryStatus ? $job.SecondaryStatus : ''}"
    )


def _retry(errors: list[str], seconds: int, attempts: int) -> dict[str, Any]:
    return {
        "ErrorEquals": errors,
        "IntervalSeconds": seconds,
        "MaxAttempts": attempts,
        "BackoffRate": 2,
        "MaxDelaySeconds": 1800,
        "JitterStrategy": "FULL",
    }


def _register() -> dict[str, Any]:
    """Build the state that hands the artifact to the registrar, which may be asked twice."""
    event = {
        "action": "register_run",
        "execution": expression("$states.context.Execution.Name"),
        "execution_arn": expression("$states.context.Execution.Id"),
        "model_uri": expression("$model"),
        "data_uri": expression("$dataUri"),
        "extra_data_uri": expression("$extraDataUri"),
        "hyperparameters": expression("$hyperparameters"),
        "reason": expression("$reason"),
        "image": "${Image}",
    }
    failed = (
        "{'job': 'register', 'name': '', 'status': 'Failed',"
        " 'reason': $states.errorOutput.Error & ': ' & $states.errorOutput.Cause}"
    )
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": "${Registrar}", "Payload": event},
        "Output": expression("$states.result.Payload"),
        "Retry": [
            {"ErrorEquals": ["InvalidInputError", "ModelError"], "MaxAttempts": 0},  # no better next time
            _retry(["States.ALL"], 10, 4),
        ],
        "Catch": [{"ErrorEquals": ["States.ALL"], "Assign": {"ended": expression(failed)}, "Next": "Tell"}],
        "Next": "Done",
    }


def _tell() -> dict[str, Any]:
    """Build the message on the alert topic: what failed, why, and where to look."""
    console = "https://${Region}.console.aws.amazon.com"
    message = (
        "'Training failed in ${Environment} at step ' & $ended.job & '.\n\nReason: ' & $ended.reason"
        f" & ($ended.name ? '\n\nJob: {console}/sagemaker/home?region=${{Region}}#/jobs/' & $ended.name : '')"
        f" & '\n\nExecution: {console}/states/home?region=${{Region}}#/v2/executions/details/'"
        " & $states.context.Execution.Id & '\n\nWhat to do: ${Runbook}'"
    )
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::sns:publish",
        "Arguments": {
            "TopicArn": "${Topic}",
            "Subject": "Training failed in ${Environment}",
            "Message": expression(message.replace("\n", "\\n")),
            "MessageAttributes": {
                name: {"DataType": "String", "StringValue": value}
                for name, value in (
                    ("kind", "training_failed"),
                    ("severity", "warning"),
                    ("environment", "${Environment}"),
                )
            },
        },
        "Retry": [_retry(["States.ALL"], 5, 5)],
        "Next": "Failed",
    }
