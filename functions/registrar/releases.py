"""Records which Lambda version received the traffic, when and why, and finds the target of a rollback.

CodeDeploy and `sentiment rollback` shift the traffic.
"""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sentiment.database.deployments import (
    active_deployment,
    champion_of,
    deployment_before,
    record_deployment,
)
from sentiment.database.models import ModelDeployment
from sentiment.exceptions import InvalidInputError
from sqlalchemy.orm import Session

FunctionVersion = Annotated[str, Field(pattern="^[1-9][0-9]{0,8}$")]


class Release(BaseModel):
    """A version that receives traffic: the columns of its row that the database does not set."""

    model_config = ConfigDict(protected_namespaces=(), frozen=True, extra="forbid")

    id: UUID | None = None
    deployment_type: Literal["champion", "canary", "shadow"] = "champion"
    model_version: str = Field(min_length=1)
    metrics: dict[str, Any] = Field(default_factory=dict)
    artifact_uri: str | None = None  # default: the folder in the bucket, or the image if there is none
    image_digest: str | None = None
    image_uri: str | None = None
    function_version: FunctionVersion | None = None
    reason: str | None = None
    deployed_by: str = Field(min_length=1)


class Rollback(BaseModel):
    """Traffic that went back to an earlier version."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    function_version: FunctionVersion
    reason: str = Field(min_length=1)
    deployed_by: str = Field(min_length=1)


class RollbackQuery(BaseModel):
    """The version to roll back from, and the target; by default the last good version."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    function_version: FunctionVersion
    to: FunctionVersion | None = None


def record_release(session: Session, release: Release, artifact_uri: str) -> ModelDeployment:
    """Record the release in the caller's transaction, unless its version is already active.

    A version that becomes active again gets a new row, because rows are history.
    """
    active = active_deployment(session, release.deployment_type)
    if (
        active is not None
        and release.function_version
        and active.function_version == release.function_version
    ):
        return active
    columns = release.model_dump(exclude={"image_uri", "artifact_uri", "id"})
    deployment = ModelDeployment(**columns, artifact_uri=artifact_uri)
    if release.id is not None and session.get(ModelDeployment, release.id) is None:
        deployment.id = release.id
    record_deployment(session, deployment)
    return deployment


def record_rollback(session: Session, rollback: Rollback) -> ModelDeployment:
    """Record that traffic is back at a version, unless it is already recorded as active.

    The model's columns are copied from the version's last row; raises InvalidInputError if there is none.
    """
    active = active_deployment(session)
    if active is not None and active.function_version == rollback.function_version:
        return active
    previous = _known(session, rollback.function_version)
    copied = ("model_version", "metrics", "artifact_uri", "image_digest")
    deployment = ModelDeployment(
        deployment_type="champion",
        **{name: getattr(previous, name) for name in copied},
        **rollback.model_dump(),
    )
    record_deployment(session, deployment)
    return deployment


def find_rollback_target(session: Session, query: RollbackQuery) -> ModelDeployment | None:
    """Return the row of the version to roll back to, or None if there is no earlier one."""
    if query.to is not None:
        return _known(session, query.to)
    return deployment_before(session, int(query.function_version))


def _known(session: Session, function_version: str) -> ModelDeployment:
    found = champion_of(session, function_version)
    if found is None:
        raise InvalidInputError(f"version {function_version} was never recorded as a champion")
    return found
