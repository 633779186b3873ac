"""What people look up afterwards: predictions page by page, alerts, drift runs, deployments, and audits.

Nothing here writes, and the caller owns the session. Lists come newest first and never unbounded.
"""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from sentiment.database.models import (
    DatasetMetric,
    ExperimentRun,
    ModelDeployment,
    MonitoringAlert,
    PredictionLog,
)

# How the rows of traffic in dataset_metrics differ from those of training: what the drift monitor found in a
# window of predictions, and what the API itself counted.
WINDOW_DATASET, TRAFFIC_DATASET, WINDOW_SPLIT = "prediction_logs", "api_traffic", "window"


class Audit(NamedTuple):
    """One prediction, the deployment that answered it and the run that trained its model, where recorded."""

    prediction: PredictionLog
    deployment: ModelDeployment | None
    run: ExperimentRun | None


def find_predictions(
    session: Session,
    *,
    limit: int,
    before: UUID | None = None,
    sentiment: str | None = None,
    model_version: str | None = None,
    minimum_confidence: float | None = None,
    with_feedback: bool | None = None,
) -> Sequence[PredictionLog]:
    """Return the newest predictions that match; `before` is the last id of the page already read."""
    log = PredictionLog
    query = select(log).order_by(log.id.desc()).limit(limit)
    if before is not None:
        query = query.where(log.id < before)
    if sentiment is not None:
        query = query.where(log.sentiment == sentiment)
    if model_version is not None:
        query = query.where(log.model_version == model_version)
    if minimum_confidence is not None:
        query = query.where(log.confidence >= minimum_confidence)
    if with_feedback is not None:
        query = query.where(log.feedback_at.is_not(None) if with_feedback else log.feedback_at.is_(None))
    return session.scalars(query).all()


def find_audit(session: Session, prediction_id: UUID) -> Audit | None:
    """Return who answered that prediction, or None when no such prediction is stored (yet)."""
    prediction = session.get(PredictionLog, prediction_id)
    if prediction is None:
        return None
    deployment = (
        session.get(ModelDeployment, prediction.deployment_id)
        if prediction.deployment_id is not None
        else None
    )
    runs = (
        select(ExperimentRun)
        .where(ExperimentRun.model_version == prediction.model_version)
        .order_by(ExperimentRun.started_at.desc())
        .limit(1)
    )
    return Audit(prediction, deployment, session.scalar(runs))


def find_alerts(session: Session, *, limit: int, open_only: bool) -> Sequence[MonitoringAlert]:
    """Return the alerts that were raised last."""
    alert = MonitoringAlert
    query = select(alert).order_by(alert.raised_at.desc(), alert.id).limit(limit)
    if open_only:
        query = query.where(alert.resolved_at.is_(None))
    return session.scalars(query).all()


def find_deployments(session: Session, *, limit: int) -> Sequence[ModelDeployment]:
    """Return the deployments that were made last."""
    deployment = ModelDeployment
    query = select(deployment).order_by(deployment.deployed_at.desc(), deployment.id).limit(limit)
    return session.scalars(query).all()


def find_drift_runs(
    session: Session, *, limit: int, model_version: str | None = None
) -> Sequence[DatasetMetric]:
    """Return what the drift monitor found in its last runs."""
    query = (
        select(DatasetMetric)
        .where(DatasetMetric.dataset == WINDOW_DATASET, DatasetMetric.split == WINDOW_SPLIT)
        .order_by(DatasetMetric.recorded_at.desc(), DatasetMetric.id)
        .limit(limit)
    )
    if model_version is not None:
        query = query.where(DatasetMetric.metrics["model_version"].astext == model_version)
    return session.scalars(query).all()
