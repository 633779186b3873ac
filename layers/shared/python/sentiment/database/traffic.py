"""Traffic: what the API counted (TrafficCounted), compared with the predictions that are stored.

Only spans that were counted are compared, so an hour that was not counted, or is not over, makes no
difference. Functions take the caller's session and never commit.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, timedelta
from typing import Any, NamedTuple

from sqlalchemy import DateTime, Text, Uuid, cast, column, func, literal, select
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.orm import Session

from sentiment.database.models import DatasetMetric, PredictionLog
from sentiment.database.runs import WINDOW_SPLIT, record_dataset_metrics
from sentiment.database.windows import Window, least_id
from sentiment.messages import TrafficCounted

TRAFFIC_DATASET = "api_traffic"  # marks the API's own counts in dataset_metrics
LONGEST_SPAN = timedelta(days=1)


class ReconciledDay(NamedTuple):
    """One day (UTC) of counted spans: predictions served, and how many of them are stored."""

    day: date
    served: int
    stored: int
    hours_counted: float

    @property
    def difference(self) -> int:
        """Return how many served predictions are not stored (yet); negative if too many are."""
        return self.served - self.stored


def store_traffic(session: Session, counts: Sequence[TrafficCounted]) -> None:
    """Store the API's counts per span; a later count of the same span replaces the earlier one."""
    for counted in counts:
        metrics = counted.model_dump(mode="json", exclude={"type"})
        record_dataset_metrics(
            session,
            dataset=TRAFFIC_DATASET,
            fingerprint=f"{counted.since.isoformat()} {counted.until.isoformat()}",
            split=WINDOW_SPLIT,
            rows=counted.predictions,
            metrics=metrics,
        )


def counted_spans(session: Session, window: Window) -> list[TrafficCounted]:
    """Return the counted spans that lie entirely in the window, oldest first."""
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
    """Return the API's counts of the spans that ended in the window, for JSON; None without any.

    `error_rate` is the share of 5xx responses. `since` and `until` are the ends of the counted spans, which
    may differ from the window's. Each span belongs to exactly one of several consecutive windows.
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
    """Compare served with stored predictions for each counted day of the window, newest first."""
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


def _count_stored(session: Session, spans_by_day: dict[date, list[TrafficCounted]]) -> dict[date, int]:
    """Count the stored predictions in each day's spans, each span by a range of the primary key."""
    ranges = [
        {"day": day.isoformat(), "least": str(least_id(span.since)), "past": str(least_id(span.until))}
        for day, spans in spans_by_day.items()
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
