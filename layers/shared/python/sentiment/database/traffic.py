"""What the API says it answered (TrafficCounted) beside what is stored of it. Nothing here writes.

The two are compared over the very spans that were counted, so an hour that nobody counted, or that is not
over yet, makes no difference.
"""

import json
from collections import defaultdict
from datetime import UTC, date, timedelta
from typing import Any, NamedTuple

from sqlalchemy import DateTime, Text, Uuid, cast, column, func, literal, select
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.orm import Session

from sentiment.database.history import TRAFFIC_DATASET, WINDOW_SPLIT
from sentiment.database.models import DatasetMetric, PredictionLog
from sentiment.database.windows import Window, least_id
from sentiment.messages import TrafficCounted

LONGEST_SPAN = timedelta(days=1)


class ReconciledDay(NamedTuple):
    """One day (UTC) of counted spans: what was answered in them, and how much of it is stored."""

    day: date
    served: int
    stored: int
    hours_counted: float

    @property
    def difference(self) -> int:
        """Return how many answered predictions are not stored (yet); below 0, how many too many are."""
        return self.served - self.stored


def counted_spans(session: Session, window: Window) -> list[TrafficCounted]:
    """Return the spans counted that lie wholly in the window, oldest first."""
    record = DatasetMetric
    since, until = (cast(record.metrics[name].astext, DateTime(timezone=True)) for name in ("since", "until"))
    query = (
        select(record.metrics)
        .where(record.dataset == TRAFFIC_DATASET, record.split == WINDOW_SPLIT)
        .where(since >= window.since, until <= window.until)
        .order_by(since)
    )
    return [TrafficCounted.model_validate(metrics) for metrics in session.scalars(query)]


def count_requests(session: Session, window: Window) -> dict[str, Any] | None:
    """Return what the API counted in the spans that ended within the window, for JSON; None without any.

    `error_rate` is the share answered 5xx. The figures are of `since` to `until`, so that an hour's count
    stands in a window that cuts through hours; of windows that follow each other a span is in one only.
    """
    earlier = Window(window.since - LONGEST_SPAN, window.until)
    spans = [span for span in counted_spans(session, earlier) if span.until > window.since]
    if not spans:
        return None
    requests = sum(span.requests for span in spans)
    server_errors = sum(span.server_errors for span in spans)
    return {
        "counted": requests,
        "client_errors": sum(span.client_errors for span in spans),
        "server_errors": server_errors,
        "error_rate": server_errors / requests if requests else None,
        "since": min(span.since for span in spans),
        "until": max(span.until for span in spans),
    }


def reconcile_days(session: Session, window: Window) -> list[ReconciledDay]:
    """Compare served with stored for each day of the window that was counted, newest first."""
    by_day: dict[date, list[TrafficCounted]] = defaultdict(list)
    for span in counted_spans(session, window):
        by_day[span.since.astimezone(UTC).date()].append(span)
    stored = _count_stored(session, by_day)
    return [
        ReconciledDay(
            day,
            served=sum(span.predictions for span in spans),
            stored=stored[day],
            hours_counted=sum((span.until - span.since).total_seconds() for span in spans) / 3600,
        )
        for day, spans in sorted(by_day.items(), reverse=True)
    ]


def _count_stored(session: Session, spans_of: dict[date, list[TrafficCounted]]) -> dict[date, int]:
    """Count the stored predictions of each day's spans, each by a range of the primary key."""
    ranges = [
        {"day": day.isoformat(), "least": str(least_id(span.since)), "past": str(least_id(span.until))}
        for day, spans in spans_of.items()
        for span in spans
    ]
    rows = (
        func.json_to_recordset(cast(literal(json.dumps(ranges), Text), JSON))
        .table_valued(column("day", Text()), column("least", Uuid()), column("past", Uuid()))
        .render_derived(with_types=True)
    )
    stored = (
        select(func.count())
        .where(PredictionLog.id >= rows.c.least, PredictionLog.id < rows.c.past)
        .correlate(rows)
        .scalar_subquery()
    )
    query = select(rows.c.day, func.sum(stored)).group_by(rows.c.day)
    return {date.fromisoformat(day): int(count) for day, count in session.execute(query)}
