"""Predictions: storing each once, listing them in pages, and auditing one.

Functions take the caller's session and never commit.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from sentiment.database.models import ExperimentRun, ModelDeployment, PredictionLog
from sentiment.database.statements import recordset, replace_nul
from sentiment.database.windows import least_id
from sentiment.messages import PredictionMade

_predictions = TypeAdapter(Sequence[PredictionMade])


class Audit(NamedTuple):
    """One prediction with the deployment and the training run behind it."""

    prediction: PredictionLog
    deployment: ModelDeployment | None  # the one that made the prediction
    promotion: ModelDeployment | None  # when its version last received the traffic before that
    run: ExperimentRun | None  # the one that trained the model


def store_predictions(session: Session, predictions: Sequence[PredictionMade]) -> None:
    """Insert the predictions in one statement, skipping ids that exist.

    Rows are inserted in the order of their ids, so that concurrent writers cannot deadlock.
    """
    if not predictions:
        return
    columns = [c for c in PredictionLog.__table__.columns if not c.name.startswith("feedback_")]
    fields = {c.name: "prediction_id" if c.name == "id" else c.name for c in columns}
    storable = [replace_nul(prediction, "text") for prediction in predictions]
    rows = recordset(_predictions.dump_json(storable), {fields[c.name]: c.type for c in columns})
    statement = (
        insert(PredictionLog)
        .from_select(list(fields), select(*rows.c).order_by(rows.c.prediction_id))
        .on_conflict_do_nothing(index_elements=[PredictionLog.id])
    )
    session.execute(statement)


def stored_ids(session: Session, ids: Mapping[UUID, Any] | Sequence[UUID]) -> set[UUID]:
    """Return which of the ids are stored."""
    return set(session.scalars(select(PredictionLog.id).where(PredictionLog.id.in_(list(ids)))))


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
    """Return the newest predictions that match; `before` is the last id of the previous page."""
    log = PredictionLog
    filters = (
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
    conditions = [condition for condition in filters if condition is not False]
    return session.scalars(select(log).where(*conditions).order_by(log.id.desc()).limit(limit)).all()


def find_audit(session: Session, prediction_id: UUID) -> Audit | None:
    """Return the audit of a prediction, or None when the prediction is not stored (yet)."""
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
    """Return the row that put the version in front of traffic; after a rollback that is a newer row.

    A canary serves before its release is recorded, so the fallback is the deployment's own row.
    """
    champion = ModelDeployment
    query = (
        select(champion)
        .where(champion.deployment_type == "champion", champion.model_version == prediction.model_version)
        .where(champion.deployed_at <= prediction.predicted_at)
        .order_by(champion.deployed_at.desc())
        .limit(1)
    )
    if deployment is not None and deployment.function_version is not None:
        query = query.where(champion.function_version == deployment.function_version)
    return session.scalar(query) or deployment
