"""The training state machine in Amazon States Language: search, fine-tune, export and gate, register.

It is plain data, so a test can execute it. `cdk/training/stack.py` replaces the `${Placeholders}` and grants
the permissions.
"""

import json
from typing import Any

from cdk.training.job_states import job_states, retry
from cdk.training.jobs import Job, job_request
from cdk.training.jsonata import expression

INPUT_KEYS = ("hyperparameters", "trials", "search", "data_uri", "extra_data_uri", "reason")
DEFAULT_TRIALS = "20"
REPORTED_ERROR = "TrainingFailed"  # of an execution that notified the alert topic


def definition(
    *, search: Job, fine_tune: Job, export: Job, isolated: bool = True, mlflow: bool = False
) -> dict[str, Any]:
    """Build the state machine.

    The placeholders are ${Image} ${TrainingRole} ${Bucket} ${Key} ${Prefix} ${Environment} ${Registrar}
    ${Topic} ${Region} ${Runbook} and, with `mlflow`, ${Mlflow}.
    """
    # Every job gets the same data: the export must know which rows it must not be measured on.
    data = (("training", "$dataUri"), ("extra", "$extraDataUri"))

    def run(name: str, job: Job, *channels: tuple[str, str], output: str, on_success: str) -> dict[str, Any]:
        request = job_request(job, [*data, *channels], isolated=isolated, mlflow=mlflow)
        return job_states(name, job, request, output=output, on_success=on_success, on_failure="Notify")

    states = {
        "Input valid?": {
            "Type": "Choice",
            "Choices": [{"Condition": expression(_VALID_INPUT), "Next": "Read the input"}],
            "Default": "Reject the input",
        },
        "Reject the input": {
            "Type": "Pass",
            "Assign": {"outcome": {"job": "input", "name": "", "status": "Rejected", "reason": _INPUT_RULES}},
            "Next": "Notify",
        },
        "Read the input": {
            "Type": "Pass",
            "Assign": {
                "hyperparameters": expression(
                    "$merge([{}, $each($states.input.hyperparameters, function($v, $k) {{$k: $string($v)}})])"
                ),
                "trials": expression(
                    f"$exists($states.input.trials) ? $string($states.input.trials) : '{DEFAULT_TRIALS}'"
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
            "Next": "Run a search?",
        },
        "Run a search?": {
            "Type": "Choice",
            "Choices": [{"Condition": expression("$search"), "Next": "Search"}],
            "Default": "Fine-tune",
        },
        **run("Search", search, output="searchOutput", on_success="Fine-tune"),
        **run("Fine-tune", fine_tune, ("search", "$searchOutput"), output="checkpoint", on_success="Export"),
        **run("Export", export, ("checkpoint", "$checkpoint"), output="model", on_success="Register"),
        "Register": _register(),
        "Done": {"Type": "Succeed"},
        "Notify": _notify(),
        "Failed": {
            "Type": "Fail",
            "Error": REPORTED_ERROR,
            "Cause": expression("$outcome.job & ': ' & $outcome.reason"),
        },
    }
    return {
        "Comment": "Optuna search, fine-tuning with its best parameters, export and gate, registration",
        "QueryLanguage": "JSONata",
        "StartAt": "Input valid?",
        "States": states,
    }


# Otherwise, a misspelled key would train for hours with the defaults.
_VALID_INPUT = f"""(
$input := $states.input;
$count($filter($keys($input), function($k) {{ $not($k in {json.dumps(INPUT_KEYS)}) }})) = 0
and ($not($exists($input.hyperparameters)) or $type($input.hyperparameters) = 'object')
and ($not($exists($input.search)) or $type($input.search) = 'boolean')
and ($not($exists($input.trials)) or $contains($string($input.trials), /^[1-9][0-9]?[0-9]?[0-9]?$/))
and ($input.data_uri ? $contains($string($input.data_uri), /^s3:/) : true)
and ($input.extra_data_uri ? $contains($string($input.extra_data_uri), /^s3:/) : true)
)""".replace("\n", " ")
_INPUT_RULES = (
    "the input may have hyperparameters (an object), trials (1 to 9999), search (true or false), data_uri "
    "and extra_data_uri (null or s3://…) and reason; nothing else"
)


def _register() -> dict[str, Any]:
    """Build the state that invokes the registrar with the artifact; invoking it twice is harmless."""
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
            {"ErrorEquals": ["InvalidInputError", "ModelError"], "MaxAttempts": 0},  # a retry would not help
            retry(["States.ALL"], 10, 4),
        ],
        "Catch": [
            {"ErrorEquals": ["States.ALL"], "Assign": {"outcome": expression(failed)}, "Next": "Notify"}
        ],
        "Next": "Done",
    }


def _notify() -> dict[str, Any]:
    """Build the state that notifies the alert topic: what failed, why, and where to look."""
    console = "https://${Region}.console.aws.amazon.com"
    message = (
        "'Training failed in ${Environment} at step ' & $outcome.job & '.\n\nReason: ' & $outcome.reason"
        f" & ($outcome.name ? '\n\nJob: {console}/sagemaker/home?region=${{Region}}#/jobs/' & $outcome.name"
        " : '')"
        f" & '\n\nExecution: {console}/states/home?region=${{Region}}#/v2/executions/details/'"
        " & $states.context.Execution.Id & '\n\nRunbook: ${Runbook}'"
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
        "Retry": [retry(["States.ALL"], 5, 5)],
        "Next": "Failed",
    }
