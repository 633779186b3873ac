"""Where a rollback leads: the champions that had the traffic before. Recording one is repositories.py."""

from sqlalchemy import Integer, cast, select
from sqlalchemy.orm import Session

from sentiment.database.models import ModelDeployment


def deployment_before(session: Session, function_version: int) -> ModelDeployment | None:
    """Return the latest champion of a lower Lambda version: the one that a rollback from this one goes to.

    Lower, because the one retired last may be a version that was itself rolled back from.
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
    """Return the latest champion that was that Lambda version."""
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
