"""Which Lambda version got the traffic, when and why: written by releases and rollbacks, read by rollbacks.

Nothing here moves traffic: that is CodeDeploy's and `sentiment rollback`'s.
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
    """One version put in front of traffic; the columns of its row that the database does not fill in."""

    model_config = ConfigDict(protected_namespaces=(), frozen=True, extra="forbid")

    id: UUID | None = None
    deployment_type: Literal["champion", "canary", "shadow"] = "champion"
    model_version: str = Field(min_length=1)
    metrics: dict[str, Any] = Field(default_factory=dict)
    artifact_uri: str | None = None  # default: the bucket's folder, or the image when the bucket has none
    image_digest: str | None = None
    image_uri: str | None = None
    function_version: FunctionVersion | None = None
    reason: str | None = None
    deployed_by: str = Field(min_length=1)


class Rollback(BaseModel):
    """Traffic taken back to a version that had it before."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    function_version: FunctionVersion
    reason: str = Field(min_length=1)
    deployed_by: str = Field(min_length=1)


class RollbackQuery(BaseModel):
    """From which version a rollback goes, and to which; by itself to the last good one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    function_version: FunctionVersion
    to: FunctionVersion | None = None


def record_release(session: Session, release: Release, artifact_uri: str) -> ModelDeployment:
    """Write the release's row, in the caller's transaction, unless its version has the place already.

    A version that comes back after another one had its place gets a new row: its first is history.
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


def record_rollback(session: Session, back: Rollback) -> ModelDeployment:
    """Write that traffic is back at a version, unless that is what the database says already.

    What the version is, is copied from its last row; raises InvalidInputError when it has none.
    """
    active = active_deployment(session)
    if active is not None and active.function_version == back.function_version:
        return active
    before = _known(session, back.function_version)
    copied = ("model_version", "metrics", "artifact_uri", "image_digest")
    deployment = ModelDeployment(
        deployment_type="champion",
        **{name: getattr(before, name) for name in copied},
        **back.model_dump(),
    )
    record_deployment(session, deployment)
    return deployment


def find_rollback_target(session: Session, way: RollbackQuery) -> ModelDeployment | None:
    """Return the row of the version to go back to, None when there was none before."""
    if way.to is not None:
        return _known(session, way.to)
    return deployment_before(session, int(way.function_version))


def _known(session: Session, function_version: str) -> ModelDeployment:
    found = champion_of(session, function_version)
    if found is None:
        raise InvalidInputError(f"version {function_version} was never recorded as a champion")
    return found
