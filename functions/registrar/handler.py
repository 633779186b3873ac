"""Records training runs and deployments, and finds the target of a rollback.

The training state machine, releases and the command line call this function because Postgres can only be
reached from inside the VPC. It neither shifts traffic nor trains.
"""

from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, ValidationError
from sentiment.database.deployments import active_deployment, find_deployments
from sentiment.database.models import ModelDeployment
from sentiment.database.session import make_engine, transaction
from sentiment.exceptions import InvalidInputError
from sentiment.logging import logger
from sentiment.notifications import publish
from sentiment.validation import describe_problems
from sqlalchemy import Engine

from functions.registrar.artifact import is_published
from functions.registrar.notification import announce
from functions.registrar.releases import (
    Release,
    Rollback,
    RollbackQuery,
    find_rollback_target,
    record_release,
    record_rollback,
)
from functions.registrar.runs import FinishedRun, publish_artifact, record_run
from functions.registrar.settings import SERVICE, settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LISTED_DEPLOYMENTS = 20
ACTIONS = "register_run, record_deployment, record_rollback, previous_deployment or list_deployments"
EventT = TypeVar("EventT", bound=BaseModel)
Row = dict[str, Any]


@cache
def engine() -> Engine:
    """Create this instance's connection pool."""
    return make_engine(settings())


@cache
def s3() -> "S3Client":
    """Make the client once."""
    return boto3.client("s3")


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Perform the event's `action` and return what is recorded. All actions are safe to repeat.

    Raises InvalidInputError for an invalid event and ModelError for an incomplete artifact; nothing is
    written then.
    """
    result: dict[str, Any]
    match event.get("action"):
        case "register_run":
            result = register_run(_read(FinishedRun, event))
        case "record_deployment":
            result = {"deployment": record_deployment(_read(Release, event.get("deployment")))}
        case "record_rollback":
            with transaction(engine()) as session:
                result = {
                    "deployment": _row(record_rollback(session, _read(Rollback, event.get("deployment"))))
                }
        case "previous_deployment":
            query = _read(RollbackQuery, {name: value for name, value in event.items() if name != "action"})
            with transaction(engine()) as session:
                result = {
                    "active": _row(active_deployment(session)),
                    "previous": _row(find_rollback_target(session, query)),
                }
        case "list_deployments":
            with transaction(engine()) as session:
                result = {
                    "deployments": [
                        _row(deployment) for deployment in find_deployments(session, limit=LISTED_DEPLOYMENTS)
                    ]
                }
        case unknown:
            raise InvalidInputError(f"action {unknown!r}: use {ACTIONS}")
    logger(SERVICE).info("action completed", action=event["action"], result=result)
    return result


def register_run(run: FinishedRun) -> dict[str, Any]:
    """Publish, record and announce the model of a finished run."""
    card, artifact_uri = publish_artifact(s3(), settings().artifact_bucket, run.model_uri)
    with transaction(engine()) as session:
        registration = record_run(session, run, card, artifact_uri)
    publish(settings().alert_topic_arn, announce(run, registration))
    return {"model_version": card.model_version, "artifact_uri": artifact_uri, "metrics": card.metrics}


def record_deployment(release: Release) -> Row | None:
    """Record a release; its artifact is in the bucket if it was trained in AWS, else only in its image."""
    uri, bucket = release.artifact_uri, settings().artifact_bucket
    if uri is None and is_published(s3(), bucket, release.model_version):
        uri = f"s3://{bucket}/models/{release.model_version}/"
    uri = uri or release.image_uri
    if uri is None:
        raise InvalidInputError(
            f"the artifact of {release.model_version} is not in the bucket; give artifact_uri or image_uri"
        )
    with transaction(engine()) as session:
        return _row(record_release(session, release, uri))


def _read(model: type[EventT], content: object) -> EventT:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise InvalidInputError(f"invalid event: {describe_problems(error, whole='event')}") from None


def _row(deployment: ModelDeployment | None) -> Row | None:
    """Return the row for JSON, with times in ISO 8601."""
    if deployment is None:
        return None
    values = {column.name: getattr(deployment, column.name) for column in ModelDeployment.__table__.columns}
    return {
        name: value if isinstance(value, bool | str | dict | None) else _text(value)
        for name, value in values.items()
    }


def _text(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
