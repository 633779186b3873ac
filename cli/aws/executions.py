"""A training in AWS: upload the data, start the state machine, follow the execution, fetch the artifact.

Training itself runs in SageMaker jobs; nothing here imports torch.
"""

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentiment.exceptions import ModelError

from cdk.environments import ENVIRONMENTS
from cli.aws.stacks import AwsError, stack_output

if TYPE_CHECKING:
    import boto3

    from training.export.artifact import Artifact
    from training.progress import Progress

_STATE_ENTERED_EVENTS = ("TaskStateEntered", "WaitStateEntered")


class ExecutionError(AwsError):
    """The execution failed, or its artifact is damaged."""


def reaches_hub(environment: str, model: str) -> bool:
    """Return whether the environment's jobs can load this model; they cannot load a local folder."""
    return ENVIRONMENTS[environment].training_internet and not Path(model).exists()


def upload(session: "boto3.Session", bucket: str, file: Path) -> str:
    """Upload a data file as the only object under data/<its sha256>/; return the URI of that prefix.

    If the prefix holds an object, it has the same content under some name, and nothing is uploaded.
    """
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    s3, prefix = session.client("s3"), f"data/{digest}/"
    if not s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("KeyCount"):
        s3.upload_file(str(file), bucket, prefix + file.name)
    return f"s3://{bucket}/{prefix}"


def hyperparameters(options: Mapping[str, Any]) -> dict[str, str]:
    """Return options as SageMaker passes them: strings, lists joined by commas, None left out."""
    texts = {}
    for name, value in options.items():
        if isinstance(value, bool):
            texts[name] = str(value).lower()
        elif isinstance(value, tuple):
            texts[name] = ",".join(value)
        elif value is not None:
            texts[name] = str(value)
    return texts


def start(session: "boto3.Session", environment: str, request: Mapping[str, Any]) -> str:
    """Start the environment's state machine; return the execution's ARN."""
    machine = stack_output(session, environment, "training", "StateMachineArn")
    started = session.client("stepfunctions").start_execution(
        stateMachineArn=machine, input=json.dumps(request)
    )
    return str(started["executionArn"])


def follow(
    session: "boto3.Session", execution: str, progress: "Progress", *, poll_seconds: float = 10.0
) -> dict[str, Any]:
    """Show an execution's steps until it ends; return its output, or raise ExecutionError with its cause.

    Interrupting this function does not stop the execution.
    """
    stepfunctions, sagemaker = session.client("stepfunctions"), session.client("sagemaker")
    while True:
        described = stepfunctions.describe_execution(executionArn=execution)
        step, job = _current_step(stepfunctions, execution)
        if job and described["status"] == "RUNNING":
            found = sagemaker.describe_training_job(TrainingJobName=job)
            step = f"{step}: {found['SecondaryStatus']} ({job})"
        progress(step)
        if described["status"] != "RUNNING":
            break
        time.sleep(poll_seconds)
    if described["status"] != "SUCCEEDED":
        cause = " ".join(described.get("cause", "").split()) or described.get(
            "error", "no cause was recorded"
        )
        raise ExecutionError(f"the execution ended as {described['status']}: {cause}")
    output: dict[str, Any] = json.loads(described["output"])
    return output


def fetch(session: "boto3.Session", artifact_uri: str, artifacts: Path) -> "Artifact":
    """Download an artifact to artifacts/models/<version>; it becomes the champion if there is none.

    Atomic: the folder appears after the hash of every file was compared with the model card.
    """
    from sentiment.model_card import CARD_FILE, ModelCard, read_card, verify_files

    from training.export.artifact import Artifact, champion_of, link_champion

    bucket, _, prefix = artifact_uri.removeprefix("s3://").partition("/")
    prefix = prefix.rstrip("/") + "/"
    s3 = session.client("s3")
    models = artifacts / "models"
    models.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".building-", dir=models))
    partial.chmod(0o755)
    replaced = partial.with_suffix(".replaced")
    try:
        s3.download_file(bucket, prefix + CARD_FILE, str(partial / CARD_FILE))
        try:
            card = read_card(partial, ModelCard)
            for name in card.files:
                s3.download_file(bucket, prefix + name, str(partial / name))
            verify_files(partial, card)
        except ModelError as error:
            raise ExecutionError(f"{artifact_uri} is damaged: {error}") from None
        folder = models / Path(card.model_version).name
        if folder.exists():
            folder.rename(replaced)  # removed after the new one is in place
        partial.rename(folder)
        shutil.rmtree(replaced, ignore_errors=True)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    if champion_of(artifacts) is None:
        link_champion(artifacts, card.model_version)
    return Artifact(folder=folder, card=card.model_dump())


def _current_step(stepfunctions: Any, execution: str) -> tuple[str, str | None]:
    """Return an execution's current step, and the name of the training job that runs in it, if any."""
    step, job = "Starting", None
    pages = stepfunctions.get_paginator("get_execution_history").paginate(executionArn=execution)
    for event in (event for page in pages for event in page["events"]):
        if event["type"] in _STATE_ENTERED_EVENTS:
            step, job = event["stateEnteredEventDetails"]["name"], None
        elif event["type"] == "TaskSubmitted":
            arn = json.loads(event["taskSubmittedEventDetails"].get("output") or "{}").get(
                "TrainingJobArn", ""
            )
            job = arn.rpartition("/")[2] or None
        elif event["type"] in {"TaskSucceeded", "TaskFailed", "TaskTimedOut"}:
            job = None
    return step, job
