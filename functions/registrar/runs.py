"""Registers a finished training run: publishes its artifact, then records it in the database.

Each step is safe to repeat, so a registration that failed halfway can be retried.
"""

import re
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, cast

from pydantic import BaseModel, ConfigDict, Field
from sentiment.database.deployments import active_deployment, record_deployment
from sentiment.database.models import ModelDeployment
from sentiment.database.runs import record_dataset_metrics, record_experiment_run
from sentiment.deployments import candidate_id_of
from sentiment.exceptions import InvalidInputError
from sqlalchemy.orm import Session

from functions.registrar.artifact import RegisteredCard, publish, unpack, verify

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

EXPERIMENT = "serverless-sentiment"  # as training names its experiment and its registered model
S3_URI = re.compile(r"s3://([a-z0-9.-]{3,63})/(.+)")


class FinishedRun(BaseModel):
    """An execution of the state machine whose export passed the gate."""

    model_config = ConfigDict(protected_namespaces=(), frozen=True)

    execution: str = Field(min_length=1)
    execution_arn: str = Field(pattern="^arn:")
    model_uri: str = Field(pattern="^s3://")
    hyperparameters: dict[str, str] = Field(default_factory=dict)
    data_uri: str | None = None
    extra_data_uri: str | None = None
    reason: str | None = None
    image: str | None = None


class Registration(NamedTuple):
    """A registered model, and the champion to compare it with."""

    card: RegisteredCard
    artifact_uri: str
    champion: tuple[str, dict[str, Any]] | None  # version and metrics of the serving model


def publish_artifact(s3: "S3Client", bucket: str, model_uri: str) -> tuple[RegisteredCard, str]:
    """Verify and publish the artifact in a job's output, and return its card and URI."""
    found = S3_URI.fullmatch(model_uri)
    if found is None:
        raise InvalidInputError(f"model_uri {model_uri!r} is not of the form s3://bucket/key")
    with tempfile.TemporaryDirectory(prefix="artifact-") as name:
        folder = Path(name)
        unpack(cast("IO[bytes]", s3.get_object(Bucket=found[1], Key=found[2])["Body"]), folder)
        card = verify(folder)
        return card, publish(s3, bucket, folder, card)


def record_run(session: Session, run: FinishedRun, card: RegisteredCard, artifact_uri: str) -> Registration:
    """Record run, data and candidate in the caller's transaction; an existing candidate is kept."""
    seconds = card.training.get("seconds")
    duration = timedelta(seconds=seconds) if isinstance(seconds, int | float) else timedelta(0)
    record_experiment_run(
        session,
        run_id=card.mlflow_run_id or run.execution,
        experiment=EXPERIMENT,
        status="FINISHED",
        parameters={
            **card.training,
            **run.hyperparameters,
            "image": run.image,
            "data_uri": run.data_uri,
            "extra_data_uri": run.extra_data_uri,
        },
        metrics=card.metrics,
        data_fingerprint=card.data.fingerprint if card.data else None,
        model_version=card.model_version,
        artifact_uri=run.model_uri,
        started_at=card.created_at - duration,  # approximate: the card knows the duration of the fine-tuning
        ended_at=card.created_at,
    )
    if card.data is not None:
        for split, rows in card.data.rows.items():
            record_dataset_metrics(
                session,
                dataset=card.data.name,
                fingerprint=card.data.fingerprint,
                split=split,
                rows=rows,
                # Rows were dropped from the whole data set, before the split.
                metrics={"dropped": card.data.dropped, **card.data.metrics.get(split, {})},
            )
    champion = active_deployment(session)
    candidate = candidate_id_of(card.model_version)
    if session.get(ModelDeployment, candidate) is None:
        record_deployment(
            session,
            ModelDeployment(
                id=candidate,
                deployment_type="candidate",
                model_version=card.model_version,
                metrics=card.metrics,
                artifact_uri=artifact_uri,
                reason=run.reason,
                deployed_by=f"training {run.execution}",
            ),
        )
    serving = (champion.model_version, champion.metrics) if champion is not None else None
    return Registration(card, artifact_uri, serving)
