"""Feedback: people's labels, how often predictions agree with them, and which texts to label next.

Rows with feedback are rare and have their own index. Functions take the caller's session and never commit.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import Text, Uuid, cast, func, literal, or_, select, union_all, update
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.orm import Session

from sentiment.database.models import PredictionLog
from sentiment.database.predictions import stored_ids
from sentiment.database.statements import recordset, replace_nul
from sentiment.database.windows import Window
from sentiment.messages import FeedbackGiven

LOOK_BACK_ROWS = 50_000  # bounds the work, however much traffic there is
BLOCK_CHARACTERS = 24  # texts that share this prefix are compared with each other
_feedback = TypeAdapter(Sequence[FeedbackGiven])


class Agreement(NamedTuple):
    """One day's (UTC) predictions: how many have a label, and how many of them agree with it."""

    day: date
    labels: int
    agreed: int


class LabeledText(NamedTuple):
    """A stored text and the label a person gave it."""

    id: UUID
    text: str
    label: str
    given_at: datetime


class Candidate(NamedTuple):
    """The newest prediction of a text, with how many predictions and how many labels the text has."""

    row: PredictionLog
    copies: int
    labels: int
    label: str | None  # given to any prediction of the text


def store_feedback(session: Session, feedback: Sequence[FeedbackGiven]) -> set[UUID]:
    """Store each prediction's latest feedback unless newer feedback is stored; return the unknown ids."""
    if not feedback:
        return set()
    latest = {given.prediction_id: given for given in sorted(feedback, key=lambda given: given.given_at)}
    log = PredictionLog
    storable = [replace_nul(given, "label", "comment") for given in latest.values()]
    new = recordset(
        _feedback.dump_json(storable),
        {
            "prediction_id": Uuid(),
            "label": log.feedback_label.type,
            "comment": log.feedback_comment.type,
            "given_at": log.feedback_at.type,
        },
    )
    statement = (
        update(log)
        .where(log.id == new.c.prediction_id)
        .where(or_(log.feedback_at.is_(None), log.feedback_at < new.c.given_at))
        .values(feedback_label=new.c.label, feedback_comment=new.c.comment, feedback_at=new.c.given_at)
        .execution_options(synchronize_session=False)
    )
    session.execute(statement)
    return set(latest) - stored_ids(session, latest)


def agreement_by_day(
    session: Session, window: Window, *, model_version: str | None = None
) -> Sequence[Agreement]:
    """Count labels and agreements by the day (UTC) of the prediction, newest first."""
    log = PredictionLog
    labeled = select(
        func.date(func.timezone("UTC", log.predicted_at)).label("day"),
        (log.feedback_label == log.sentiment).label("agreed"),
    ).where(window.contains(), log.feedback_at.is_not(None))
    if model_version is not None:
        labeled = labeled.where(log.model_version == model_version)
    rows = labeled.subquery()
    query = (
        select(rows.c.day, func.count(), func.count().filter(rows.c.agreed))
        .group_by(rows.c.day)
        .order_by(rows.c.day.desc())
    )
    return [Agreement._make(row) for row in session.execute(query)]


def labeled_outcomes(
    session: Session, window: Window, *, model_version: str, limit: int
) -> Sequence[tuple[float, bool]]:
    """Return confidence and correctness of one version's newest labeled predictions."""
    log = PredictionLog
    query = (
        select(log.confidence, log.feedback_label == log.sentiment)
        .where(window.contains(), log.feedback_at.is_not(None), log.model_version == model_version)
        .order_by(log.id.desc())
        .limit(limit)
    )
    return [(confidence, right) for confidence, right in session.execute(query)]


def newest_labeled(session: Session, window: Window, *, limit: int) -> Sequence[LabeledText]:
    """Return the newest predictions in the window that have both text and label."""
    log = PredictionLog
    query = (
        select(log.id, log.text, log.feedback_label, log.feedback_at)
        .where(window.contains(), log.feedback_at.is_not(None), log.text.is_not(None))
        .order_by(log.id.desc())
        .limit(limit)
    )
    return [LabeledText._make(row) for row in session.execute(query)]


def labeled_texts(
    session: Session,
    *,
    since: datetime | None = None,
    model_version: str | None = None,
    page_rows: int = 1000,
) -> Iterator[LabeledText]:
    """Yield labeled predictions that have a text, oldest first; `since` filters by the time of the label."""
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
        yield from (LabeledText._make(row) for row in page)
        page = session.execute(query.where(log.id > page[-1].id)).all()


def count_unreadable_labels(
    session: Session, *, since: datetime | None = None, model_version: str | None = None
) -> int:
    """Count labeled predictions whose text was not stored because of the privacy mode."""
    log = PredictionLog
    query = select(func.count()).where(log.feedback_at.is_not(None), log.text.is_(None))
    if since is not None:
        query = query.where(log.feedback_at >= since)
    if model_version is not None:
        query = query.where(log.model_version == model_version)
    return session.scalar(query) or 0


def look_back_id(session: Session, window: Window, *, rows: int = LOOK_BACK_ROWS) -> UUID | None:
    """Return the id of the window's `rows`-th newest prediction, or None when it holds fewer."""
    log = PredictionLog
    query = select(log.id).where(window.contains()).order_by(log.id.desc()).offset(rows - 1).limit(1)
    return session.scalar(query)


def find_candidates(
    session: Session,
    window: Window,
    *,
    model_version: str | None,
    minimum_novelty: float,
    labeled: Sequence[str],
    each: int,
) -> Sequence[Candidate]:
    """Return texts of the window that are worth labeling, each text once.

    Up to `each` of the least confident, the most novel (from `minimum_novelty`), those that begin like a
    text in `labeled`, and the newest of the unlabeled texts, and of those labeled once (for a second
    opinion). Texts that were not stored are left out. A label on any prediction of a text, by any model
    version, counts as a label of the text.
    """
    log = PredictionLog
    unlabeled_row = log.feedback_at.is_(None) & log.text.is_not(None)
    if model_version is not None:
        unlabeled_row &= log.model_version == model_version
    # Postgres has no greatest UUID before version 18; as text in byte order they sort alike.
    newest = func.max(cast(log.id, Text).collate("C")).filter(unlabeled_row)
    prefixes = json.dumps(sorted({text[:BLOCK_CHARACTERS] for text in labeled}))
    known = func.json_array_elements_text(cast(literal(prefixes, Text), JSON)).column_valued("prefix")
    similar = func.left(log.text, BLOCK_CHARACTERS).in_(select(known))
    texts = (
        select(
            newest.label("newest"),
            func.count().filter(unlabeled_row).label("copies"),
            func.count(log.feedback_at).label("labels"),
            func.max(log.feedback_label).label("label"),
            func.min(log.confidence).filter(unlabeled_row).label("confidence"),
            func.max(log.novelty).filter(unlabeled_row).label("novelty"),
            func.bool_or(similar).filter(unlabeled_row).label("similar"),
        )
        .where(window.contains())
        .group_by(log.input_hash)
        .having(newest.is_not(None))
        .cte("texts")
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    newest_first, unlabeled = texts.c.newest.desc(), texts.c.labels == 0
    lists = (
        select(texts).where(unlabeled).order_by(texts.c.confidence, newest_first),
        select(texts)
        .where(unlabeled, texts.c.novelty >= minimum_novelty)
        .order_by(texts.c.novelty.desc(), newest_first),
        select(texts).where(unlabeled, texts.c.similar).order_by(newest_first),
        select(texts).where(unlabeled).order_by(newest_first),
        select(texts).where(texts.c.labels == 1).order_by(newest_first),
    )
    chosen = union_all(*(select(query.limit(each).subquery()) for query in lists)).subquery()
    columns = (chosen.c.newest, chosen.c.copies, chosen.c.labels, chosen.c.label)
    found = {UUID(row.newest): row[1:] for row in session.execute(select(*columns))}
    rows = session.scalars(select(log).where(log.id.in_(list(found))).order_by(log.id.desc()))
    return [Candidate(row, *found[row.id]) for row in rows]
