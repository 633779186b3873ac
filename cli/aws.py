"""`sentiment train --on aws`: start the state machine of an environment, follow it, fetch what it published.

Training itself happens there; nothing here imports torch. Credentials are those that boto3 finds.
"""

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentiment.exceptions import ConfigurationError, ModelError, SentimentError
from sentiment.model_card import CARD_FILE, ModelCard, read_card, verify_files

from cdk.environments import ENVIRONMENTS

if TYPE_CHECKING:
    import boto3

    from training.export.artifact import Artifact
    from training.progress import Progress

_SHOWN_EVENTS = ("TaskStateEntered", "WaitStateEntered")


class ExecutionError(SentimentError):
    """Training in the cloud did not end with a model."""


def session(environment: str) -> "boto3.Session":
    """Return a session in the environment's region."""
    if environment not in ENVIRONMENTS:
        raise ConfigurationError(f"no environment {environment!r}; choose one of {', '.join(ENVIRONMENTS)}")
    import boto3

    return boto3.Session(region_name=ENVIRONMENTS[environment].region)


def reaches_hub(environment: str, model: str) -> bool:
    """Tell whether the environment's jobs can load a model by its name: not if it is a folder here."""
    return ENVIRONMENTS[environment].training_internet and not Path(model).exists()


@contextmanager
def aws_errors() -> Iterator[None]:
    """Turn what boto3 raises into one line."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise ExecutionError(f"{error}; check the credentials and their permissions") from None


def stack_output(aws: "boto3.Session", environment: str, stack: str, name: str) -> str:
    """Return an output of a deployed stack; raises ConfigurationError saying how to deploy it."""
    from botocore.exceptions import ClientError

    full = f"sentiment-{environment}-{stack}"
    try:
        [described] = aws.client("cloudformation").describe_stacks(StackName=full)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        raise ConfigurationError(
            f"there is no stack {full} in {aws.region_name}; deploy it with `make deploy ENV={environment}`"
        ) from None
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}
    if name not in outputs:
        raise ConfigurationError(f"stack {full} has no output {name}; deploy this version of it")
    return str(outputs[name])


def upload(aws: "boto3.Session", bucket: str, file: Path) -> str:
    """Put a data file under data/<its sha256>/, alone; return that folder's address.

    A file that is there already has the same content, under whatever name: it stays the only one.
    """
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    s3, prefix = aws.client("s3"), f"data/{digest}/"
    if not s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("KeyCount"):
        s3.upload_file(str(file), bucket, prefix + file.name)
    return f"s3://{bucket}/{prefix}"


def hyperparameters(options: Mapping[str, Any]) -> dict[str, str]:
    """Write options as SageMaker passes them: strings, lists with commas; None means not given."""
    texts = {}
    for name, value in options.items():
        if isinstance(value, bool):
            texts[name] = str(value).lower()
        elif isinstance(value, tuple):
            texts[name] = ",".join(value)
        elif value is not None:
            texts[name] = str(value)
    return texts


def start(aws: "boto3.Session", environment: str, request: Mapping[str, Any]) -> str:
    """Start the environment's state machine; return the execution's ARN."""
    machine = stack_output(aws, environment, "training", "StateMachineArn")
    started = aws.client("stepfunctions").start_execution(stateMachineArn=machine, input=json.dumps(request))
    return str(started["executionArn"])


def follow(
    aws: "boto3.Session", execution: str, progress: "Progress", *, poll_seconds: float = 10.0
) -> dict[str, Any]:
    """Show an execution's steps until it ends; return its output, or raise ExecutionError with its cause.

    Whatever ends this function before, the execution goes on.
    """
    stepfunctions, sagemaker = aws.client("stepfunctions"), aws.client("sagemaker")
    while True:
        described = stepfunctions.describe_execution(executionArn=execution)
        step, job = _where(stepfunctions, execution)
        if job and described["status"] == "RUNNING":
            found = sagemaker.describe_training_job(TrainingJobName=job)
            step = f"{step}: {found['SecondaryStatus']} ({job})"
        progress(step)
        if described["status"] != "RUNNING":
            break
        time.sleep(poll_seconds)
    if described["status"] != "SUCCEEDED":
        cause = " ".join(described.get("cause", "").split()) or described.get("error", "no cause is recorded")
        raise ExecutionError(f"the execution ended as {described['status']}: {cause}")
    output: dict[str, Any] = json.loads(described["output"])
    return output


def fetch(aws: "boto3.Session", artifact_uri: str, artifacts: Path) -> "Artifact":
    """Bring an artifact from S3 to artifacts/models/<version>; it serves only if nothing did before it.

    All or nothing: every file is compared with the card before the folder appears.
    """
    from training.export.artifact import Artifact, champion_of, point_at

    bucket, _, prefix = artifact_uri.removeprefix("s3://").partition("/")
    prefix = prefix.rstrip("/") + "/"
    s3 = aws.client("s3")
    models = artifacts / "models"
    models.mkdir(parents=True, exist_ok=True)
    arriving = Path(tempfile.mkdtemp(prefix=".building-", dir=models))
    arriving.chmod(0o755)
    replaced = arriving.with_suffix(".replaced")
    try:
        s3.download_file(bucket, prefix + CARD_FILE, str(arriving / CARD_FILE))
        try:
            card = read_card(arriving, ModelCard)
            for name in card.files:
                s3.download_file(bucket, prefix + name, str(arriving / name))
            verify_files(arriving, card)
        except ModelError as error:
            raise ExecutionError(f"{artifact_uri} is damaged: {error}") from None
        folder = models / Path(card.model_version).name
        if folder.exists():
            folder.rename(replaced)  # and removed once the new one stands in its place
        arriving.rename(folder)
        shutil.rmtree(replaced, ignore_errors=True)
    finally:
        shutil.rmtree(arriving, ignore_errors=True)
    if champion_of(artifacts) is None:
        point_at(artifacts, card.model_version)
    return Artifact(folder=folder, card=card.model_dump())


def _where(stepfunctions: Any, execution: str) -> tuple[str, str | None]:
    """Return the step that an execution has reached and, if one runs there, the name of its training job."""
    step, job = "Starting", None
    pages = stepfunctions.get_paginator("get_execution_history").paginate(executionArn=execution)
    for event in (event for page in pages for event in page["events"]):
        if event["type"] in _SHOWN_EVENTS:
            step, job = event["stateEnteredEventDetails"]["name"], None
        elif event["type"] == "TaskSubmitted":
            arn = json.loads(event["taskSubmittedEventDetails"].get("output") or "{}").get(
                "TrainingJobArn", ""
            )
            job = arn.rpartition("/")[2] or None
        elif event["type"] in {"TaskSucceeded", "TaskFailed", "TaskTimedOut"}:
            job = None
    return step, job
