"""Deployments: which model serves, which served before, and where a rollback goes.

Functions take the caller's session and never commit.
"""

from collections.abc import Sequence

from sqlalchemy import Integer, cast, func, select, update
from sqlalchemy.orm import Session

from sentiment.database.models import ModelDeployment


def record_deployment(session: Session, deployment: ModelDeployment) -> None:
    """Add the deployment as the active one of its type and retire the previous one.

    A champion also retires its own candidate row. Of two concurrent calls the later one violates the unique
    index and can be retried.
    """
    superseded = ModelDeployment.deployment_type == deployment.deployment_type
    if deployment.deployment_type == "champion":
        superseded |= (ModelDeployment.deployment_type == "candidate") & (
            ModelDeployment.model_version == deployment.model_version
        )
    session.execute(
        update(ModelDeployment)
        .where(superseded, ModelDeployment.is_active)
        .values(is_active=False, retired_at=func.now())
    )
    session.add(deployment)
    session.flush()


def active_deployment(session: Session, deployment_type: str = "champion") -> ModelDeployment | None:
    """Return the active deployment of a type."""
    query = select(ModelDeployment).where(
        ModelDeployment.deployment_type == deployment_type, ModelDeployment.is_active
    )
    return session.scalar(query)


def find_deployments(session: Session, *, limit: int) -> Sequence[ModelDeployment]:
    """Return the latest deployments, newest first."""
    deployment = ModelDeployment
    query = select(deployment).order_by(deployment.deployed_at.desc(), deployment.id).limit(limit)
    return session.scalars(query).all()


def deployment_before(session: Session, function_version: int) -> ModelDeployment | None:
    """Return the latest champion with a lower Lambda version, which is the target of a rollback.

    The version must be lower because the one retired last may itself have been rolled back.
    """
    query = (
        select(ModelDeployment)
        .where(
            ModelDeployment.deployment_type == "champion",
            cast(ModelDeployment.function_version, Integer) < function_version,
        )
        .order_by(ModelDeployment.deployed_at.desc())
        .limit(1)
    )
    return session.scalar(query)


def champion_of(session: Session, function_version: str) -> ModelDeployment | None:
    """Return the latest champion row of a Lambda version."""
    query = (
        select(ModelDeployment)
        .where(
            ModelDeployment.deployment_type == "champion",
            ModelDeployment.function_version == function_version,
        )
        .order_by(ModelDeployment.deployed_at.desc())
        .limit(1)
    )
    return session.scalar(query)
