"""Runs of training (experiment_runs) and of the drift monitor (rows of dataset_metrics, one per window).

dataset_metrics also describes the splits of training data, and holds the counts that traffic.py reads.
Functions take the caller's session and never commit.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, DateTime, cast, select
from sqlalchemy.orm import Session

from sentiment.database.models import DatasetMetric, ExperimentRun
from sentiment.database.statements import page, upsert
from sentiment.database.windows import Window

WINDOW_DATASET, WINDOW_SPLIT = "prediction_logs", "window"  # mark the drift monitor's runs in dataset_metrics


def record_experiment_run(session: Session, **values: Any) -> None:
    """Store or update a run of MLflow; the keywords are columns of ExperimentRun."""
    session.execute(upsert(ExperimentRun, [ExperimentRun.run_id], values))


def record_dataset_metrics(session: Session, **values: Any) -> UUID:
    """Store or update the metrics of a fingerprint and split, and return the row's id.

    The keywords are columns of DatasetMetric.
    """
    statement = upsert(DatasetMetric, [DatasetMetric.fingerprint, DatasetMetric.split], values)
    return session.scalars(statement.returning(DatasetMetric.id)).one()


def find_drift_runs(
    session: Session,
    *,
    limit: int,
    model_version: str | None = None,
    before: UUID | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Sequence[DatasetMetric]:
    """Return the latest drift runs whose window ended from `since` up to but not including `until`.

    `before` is the last id of the previous page.
    """
    run = DatasetMetric
    query = select(run).where(run.dataset == WINDOW_DATASET, run.split == WINDOW_SPLIT)
    if since is not None:
        query = query.where(_ended(run) >= since)
    if until is not None:
        query = query.where(_ended(run) < until)
    if model_version is not None:
        query = query.where(run.metrics["model_version"].astext == model_version)
    return session.scalars(page(session, query, run, run.recorded_at, limit, before)).all()


def find_performance_verdicts(
    session: Session, window: Window, *, model_version: str | None = None
) -> list[dict[str, Any]]:
    """Return the performance verdicts of drift runs whose window ended within this one, newest first.

    Each has the run's id, model_version, since and until beside the recorded `performance`. Runs without a
    performance verdict are left out.
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
        {"id": id_, **dict(zip(names, values, strict=True)), **performance}
        for id_, performance, *values in session.execute(query)
        if performance  # null when there were too few labels
    ]


def find_drift_run(session: Session, run_id: UUID) -> DatasetMetric | None:
    """Return one drift run, or None when there is none with that id."""
    run = session.get(DatasetMetric, run_id)
    is_drift_run = run is not None and (run.dataset, run.split) == (WINDOW_DATASET, WINDOW_SPLIT)
    return run if is_drift_run else None


def _ended(run: type[DatasetMetric]) -> ColumnElement[datetime]:
    return cast(run.metrics["until"].astext, DateTime(timezone=True))
