"""What people look up afterwards: predictions page by page, alerts, drift runs, deployments, and audits.

Nothing here writes, and the caller owns the session. Lists come newest first and never unbounded.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, DateTime, Select, cast, select, tuple_
from sqlalchemy.orm import Session

from sentiment.database.models import (
    DatasetMetric,
    ExperimentRun,
    ModelDeployment,
    MonitoringAlert,
    PredictionLog,
)
from sentiment.database.windows import Window, least_id
from sentiment.exceptions import InvalidInputError

# How the rows of traffic in dataset_metrics differ from those of training: what the drift monitor found in a
# window of predictions, and what the API itself counted.
WINDOW_DATASET, TRAFFIC_DATASET, WINDOW_SPLIT = "prediction_logs", "api_traffic", "window"


class Audit(NamedTuple):
    """One prediction, and what is recorded of how it came about."""

    prediction: PredictionLog
    deployment: ModelDeployment | None  # that answered
    promotion: ModelDeployment | None  # the last time before that its version was given the traffic
    run: ExperimentRun | None  # that trained its model


def find_predictions(
    session: Session,
    *,
    limit: int,
    before: UUID | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    sentiment: str | None = None,
    model_version: str | None = None,
    minimum_confidence: float | None = None,
    minimum_novelty: float | None = None,
    truncated: bool | None = None,
    with_feedback: bool | None = None,
) -> Sequence[PredictionLog]:
    """Return the newest predictions that match; `before` is the last id of the page already read."""
    log = PredictionLog
    asked = (
        before is not None and log.id < before,
        since is not None and log.id >= least_id(since),
        until is not None and log.id < least_id(until),
        sentiment is not None and log.sentiment == sentiment,
        model_version is not None and log.model_version == model_version,
        minimum_confidence is not None and log.confidence >= minimum_confidence,
        minimum_novelty is not None and log.novelty >= minimum_novelty,
        truncated is not None and log.truncated.is_(truncated),
        with_feedback is not None
        and (log.feedback_at.is_not(None) if with_feedback else log.feedback_at.is_(None)),
    )
    conditions = [condition for condition in asked if condition is not False]
    return session.scalars(select(log).where(*conditions).order_by(log.id.desc()).limit(limit)).all()


def find_audit(session: Session, prediction_id: UUID) -> Audit | None:
    """Return how that prediction came about, or None when no such prediction is stored (yet)."""
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
    return Audit(
        prediction, deployment, _find_promotion(session, prediction, deployment), session.scalar(runs)
    )


def _find_promotion(
    session: Session, prediction: PredictionLog, deployment: ModelDeployment | None
) -> ModelDeployment | None:
    """Return the row by which the version had the traffic then: after a rollback that is a later one.

    A canary answers before its release is recorded, so without an earlier row the deployment's own counts.
    """
    given = ModelDeployment
    query = (
        select(given)
        .where(given.deployment_type == "champion", given.model_version == prediction.model_version)
        .where(given.deployed_at <= prediction.predicted_at)
        .order_by(given.deployed_at.desc())
        .limit(1)
    )
    if deployment is not None and deployment.function_version is not None:
        query = query.where(given.function_version == deployment.function_version)
    return session.scalar(query) or deployment


def find_alerts(
    session: Session, *, limit: int, open_only: bool, kind: str | None = None, before: UUID | None = None
) -> Sequence[MonitoringAlert]:
    """Return the alerts that were raised last; `before` is the last id of the page already read."""
    alert = MonitoringAlert
    query = select(alert)
    if open_only:
        query = query.where(alert.resolved_at.is_(None))
    if kind is not None:
        query = query.where(alert.kind == kind)
    return session.scalars(_page(session, query, alert, alert.raised_at, limit, before)).all()


def find_deployments(session: Session, *, limit: int) -> Sequence[ModelDeployment]:
    """Return the deployments that were made last."""
    deployment = ModelDeployment
    query = select(deployment).order_by(deployment.deployed_at.desc(), deployment.id).limit(limit)
    return session.scalars(query).all()


def find_drift_runs(
    session: Session,
    *,
    limit: int,
    model_version: str | None = None,
    before: UUID | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Sequence[DatasetMetric]:
    """Return what the drift monitor found last, in windows that ended from `since` up to, without, `until`.

    `before` is the last id of the page already read.
    """
    run = DatasetMetric
    query = select(run).where(run.dataset == WINDOW_DATASET, run.split == WINDOW_SPLIT)
    if since is not None:
        query = query.where(_ended(run) >= since)
    if until is not None:
        query = query.where(_ended(run) < until)
    if model_version is not None:
        query = query.where(run.metrics["model_version"].astext == model_version)
    return session.scalars(_page(session, query, run, run.recorded_at, limit, before)).all()


def find_judgements(
    session: Session, window: Window, *, model_version: str | None = None
) -> list[dict[str, Any]]:
    """Return what the monitor said of performance in its runs over windows that ended within this one.

    Newest first: the run's id, model_version, since and until beside what it recorded as `performance`. Runs
    from before there was such a verdict are left out.
    """
    run = DatasetMetric
    ended = _ended(run)
    names = ("model_version", "since", "until")
    query = (
        select(run.id, run.metrics["performance"], *(run.metrics[name].astext for name in names))
        .where(run.dataset == WINDOW_DATASET, run.split == WINDOW_SPLIT, run.metrics.has_key("performance"))
        .where(ended >= window.since, ended <= window.until)
        .order_by(ended.desc(), run.id)
    )
    if model_version is not None:
        query = query.where(run.metrics["model_version"].astext == model_version)
    return [
        {"id": id_, **dict(zip(names, named, strict=True)), **performance}
        for id_, performance, *named in session.execute(query)
        if performance  # null where it could not be judged
    ]


def find_drift_run(session: Session, run_id: UUID) -> DatasetMetric | None:
    """Return one run of the drift monitor, or None when there is none of that id."""
    run = session.get(DatasetMetric, run_id)
    ours = run is not None and (run.dataset, run.split) == (WINDOW_DATASET, WINDOW_SPLIT)
    return run if ours else None


def _ended(run: type[DatasetMetric]) -> ColumnElement[datetime]:
    return cast(run.metrics["until"].astext, DateTime(timezone=True))


def _page(
    session: Session, query: Select[Any], table: Any, time: Any, limit: int, before: UUID | None
) -> Select[Any]:
    """Order by time, newest first, and start behind the row `before`; raises InvalidInputError without it."""
    if before is not None:
        last = session.get(table, before)
        if last is None:
            raise InvalidInputError("before: there is no such row; give the next_before of the page before")
        query = query.where(tuple_(time, table.id) < (getattr(last, time.key), before))
    return query.order_by(time.desc(), table.id.desc()).limit(limit)
