"""What people said of predictions: how often they agreed, day by day, and the texts they labelled.

Rows with feedback are few among many and have an index of their own. Nothing here writes, and the caller owns
the session.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sentiment.database.models import PredictionLog
from sentiment.database.windows import Window


class Agreement(NamedTuple):
    """Of one day's (UTC) predictions: how many people labelled, and how many of those labels agreed."""

    day: date
    labels: int
    agreed: int


class LabelledText(NamedTuple):
    """A stored text with the label that a person gave it."""

    id: UUID
    text: str
    label: str
    given_at: datetime


def agreement_by_day(
    session: Session, window: Window, *, model_version: str | None = None
) -> Sequence[Agreement]:
    """Count the labels of the window's predictions by the day they were predicted on, newest first."""
    log = PredictionLog
    given = select(
        func.date(func.timezone("UTC", log.predicted_at)).label("day"),
        (log.feedback_label == log.sentiment).label("agreed"),
    ).where(window.holds(), log.feedback_at.is_not(None))
    if model_version is not None:
        given = given.where(log.model_version == model_version)
    rows = given.subquery()
    query = (
        select(rows.c.day, func.count(), func.count().filter(rows.c.agreed))
        .group_by(rows.c.day)
        .order_by(rows.c.day.desc())
    )
    return [Agreement._make(row) for row in session.execute(query)]


def labelled_answers(
    session: Session, window: Window, *, model_version: str, limit: int
) -> Sequence[tuple[float, bool]]:
    """Return of one version's newest labelled predictions how confident each was and whether it was right."""
    log = PredictionLog
    query = (
        select(log.confidence, log.feedback_label == log.sentiment)
        .where(window.holds(), log.feedback_at.is_not(None), log.model_version == model_version)
        .order_by(log.id.desc())
        .limit(limit)
    )
    return [(confidence, right) for confidence, right in session.execute(query)]


def newest_labelled(session: Session, window: Window, *, limit: int) -> Sequence[LabelledText]:
    """Return the newest predictions of the window with both a text and a label."""
    log = PredictionLog
    query = (
        select(log.id, log.text, log.feedback_label, log.feedback_at)
        .where(window.holds(), log.feedback_at.is_not(None), log.text.is_not(None))
        .order_by(log.id.desc())
        .limit(limit)
    )
    return [LabelledText._make(row) for row in session.execute(query)]


def labelled_texts(
    session: Session,
    *,
    since: datetime | None = None,
    model_version: str | None = None,
    page_rows: int = 1000,
) -> Iterator[LabelledText]:
    """Yield labelled predictions that have a text, oldest first; `since` is when the label was given."""
    log = PredictionLog
    query = (
        select(log.id, log.text, log.feedback_label, log.feedback_at)
        .where(log.feedback_at.is_not(None), log.text.is_not(None))
        .order_by(log.id)
        .limit(page_rows)
    )
    if since is not None:
        query = query.where(log.feedback_at >= since)
    if model_version is not None:
        query = query.where(log.model_version == model_version)
    page = session.execute(query).all()
    while page:
        yield from (LabelledText._make(row) for row in page)
        page = session.execute(query.where(log.id > page[-1].id)).all()


def count_unreadable_labels(
    session: Session, *, since: datetime | None = None, model_version: str | None = None
) -> int:
    """Count the labelled predictions whose text the privacy mode did not let through."""
    log = PredictionLog
    query = select(func.count()).where(log.feedback_at.is_not(None), log.text.is_(None))
    if since is not None:
        query = query.where(log.feedback_at >= since)
    if model_version is not None:
        query = query.where(log.model_version == model_version)
    return session.scalar(query) or 0
