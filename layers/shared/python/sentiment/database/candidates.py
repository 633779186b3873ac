"""Which predictions a person might label next: short lists out of long traffic, one row for each text.

The lists are chosen by what Postgres can tell cheaply; which of them are worth a person's time is for the
caller to decide. The work is bounded by `LOOK_BACK_ROWS`, however much traffic there is.
"""

import json
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Text, cast, func, literal, select, union_all
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.orm import Session

from sentiment.database.models import PredictionLog
from sentiment.database.windows import Window

LOOK_BACK_ROWS = 50_000
BLOCK_CHARACTERS = 24  # texts that begin alike to here are compared with one another


class Candidate(NamedTuple):
    """The newest prediction of a text, how often the text was asked about, and how often labelled."""

    row: PredictionLog
    copies: int
    labels: int
    label: str | None  # that a person gave to a copy


def oldest_of(session: Session, window: Window, *, rows: int = LOOK_BACK_ROWS) -> UUID | None:
    """Return the id of the last of the newest `rows` predictions in the window, None when there are fewer."""
    log = PredictionLog
    query = select(log.id).where(window.holds()).order_by(log.id.desc()).offset(rows - 1).limit(1)
    return session.scalar(query)


def find_candidates(
    session: Session,
    window: Window,
    *,
    model_version: str | None,
    minimum_novelty: float,
    labelled: Sequence[str],
    each: int,
) -> Sequence[Candidate]:
    """Return the window's texts that nobody labelled, and those that were labelled once; each text once.

    Up to `each` of the least confident, of the most novel, of those that begin as a `labelled` text does, of
    the newest, and of those labelled once. Only texts that can be read count. A label on any copy of a text,
    by whichever version, is a label of it.
    """
    log = PredictionLog
    asked = log.feedback_at.is_(None) & log.text.is_not(None)
    if model_version is not None:
        asked &= log.model_version == model_version
    # Postgres has no greatest UUID before version 18; as text in byte order they sort alike.
    newest = func.max(cast(log.id, Text).collate("C")).filter(asked)
    heads = json.dumps(sorted({text[:BLOCK_CHARACTERS] for text in labelled}))
    beginnings = func.json_array_elements_text(cast(literal(heads, Text), JSON)).column_valued("beginning")
    alike = func.left(log.text, BLOCK_CHARACTERS).in_(select(beginnings))
    texts = (
        select(
            newest.label("newest"),
            func.count().filter(asked).label("copies"),
            func.count(log.feedback_at).label("labels"),
            func.max(log.feedback_label).label("label"),
            func.min(log.confidence).filter(asked).label("confidence"),
            func.max(log.novelty).filter(asked).label("novelty"),
            func.bool_or(alike).filter(asked).label("alike"),
        )
        .where(window.holds())
        .group_by(log.input_hash)
        .having(newest.is_not(None))
        .cte("texts")
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    newest_first, unlabelled = texts.c.newest.desc(), texts.c.labels == 0
    lists = (
        select(texts).where(unlabelled).order_by(texts.c.confidence, newest_first),
        select(texts)
        .where(unlabelled, texts.c.novelty >= minimum_novelty)
        .order_by(texts.c.novelty.desc(), newest_first),
        select(texts).where(unlabelled, texts.c.alike).order_by(newest_first),
        select(texts).where(unlabelled).order_by(newest_first),
        select(texts).where(texts.c.labels == 1).order_by(newest_first),
    )
    chosen = union_all(*(select(one.limit(each).subquery()) for one in lists)).subquery()
    columns = (chosen.c.newest, chosen.c.copies, chosen.c.labels, chosen.c.label)
    found = {UUID(row.newest): row[1:] for row in session.execute(select(*columns))}
    rows = session.scalars(select(log).where(log.id.in_(list(found))).order_by(log.id.desc()))
    return [Candidate(row, *found[row.id]) for row in rows]
