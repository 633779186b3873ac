"""Windows of time: counts, samples and summaries of the predictions in them. Nothing here writes.

A prediction's id (UUIDv7) contains its time, so a window is a range of the primary key and reads only the
partitions of its months.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Text, case, cast, func, select
from sqlalchemy.orm import Session

from sentiment.database.models import PredictionLog

HISTOGRAM_BINS = 20
TIME_BINS = 24
PERCENTILES = (0.5, 0.95, 0.99)


@dataclass(frozen=True)
class Window:
    """A span of time from `since` up to but not including `until`."""

    since: datetime
    until: datetime

    @classmethod
    def ending(cls, until: datetime, *, hours: float) -> Self:
        """Return the window of this length that ends at `until`."""
        return cls(until - timedelta(hours=hours), until)

    def contains(self) -> ColumnElement[bool]:
        """Return the SQL condition that a prediction was made in the window."""
        return (PredictionLog.id >= least_id(self.since)) & (PredictionLog.id < least_id(self.until))


def least_id(instant: datetime) -> UUID:
    """Return the smallest UUIDv7 of that millisecond (RFC 9562, section 5.7)."""
    return UUID(int=int(instant.timestamp() * 1000) << 80)


def choose_window(
    session: Session, until: datetime, *, model_version: str, sufficient_rows: int, longest_hours: int
) -> Window:
    """Return the shortest window of 1, 2, 4, 8, … hours before `until` with sufficient rows.

    Rows are predictions of that model version. If even `longest_hours` contain fewer, that window is
    returned, and the caller decides whether it is enough. So busy traffic is evaluated hourly and quiet
    traffic over longer windows, which overlap no more than necessary.
    """
    hours = 1
    while hours < longest_hours:
        window = Window.ending(until, hours=hours)
        # Stops counting at the sufficient number: an hour may contain millions.
        rows = select(PredictionLog.id).where(window.contains(), PredictionLog.model_version == model_version)
        enough = select(func.count()).select_from(rows.limit(sufficient_rows).subquery())
        if session.scalar(enough) == sufficient_rows:
            return window
        hours *= 2
    return Window.ending(until, hours=longest_hours)


def count_by_version(session: Session, window: Window) -> dict[str, int]:
    """Count the window's predictions by model version."""
    query = (
        select(PredictionLog.model_version, func.count())
        .where(window.contains())
        .group_by(PredictionLog.model_version)
    )
    return {version: count for version, count in session.execute(query)}


def sample_predictions(
    session: Session, window: Window, *, model_version: str, limit: int
) -> Sequence[Row[Any]]:
    """Return the fields that drift is measured on, of up to `limit` of one version's predictions, unordered.

    The selection depends only on the ids, so the same window always gives the same sample.
    """
    log = PredictionLog
    of_version = window.contains() & (log.model_version == model_version)
    # The random half of the id alone decides; md5 spreads it evenly over the order.
    chosen = select(log.id).where(of_version).order_by(func.md5(cast(log.id, Text))).limit(limit)
    columns = (
        log.text,
        log.characters,
        log.tokens,
        log.truncated,
        log.sentiment,
        log.confidence,
        log.probabilities,
        log.unknown_tokens,
        log.novelty,
    )
    return session.execute(select(*columns).where(of_version, log.id.in_(chosen))).all()


def summarize_predictions(session: Session, window: Window) -> dict[str, Any]:
    """Return volume, labels, latency, confidence, novelty, truncation and feedback of the window, for JSON.

    Shares and percentiles are null when the window is empty. The histogram has bins of equal width from 0
    to 1, the last one including 1; the bins over time have equal length.
    """
    log = PredictionLog
    # One fraction at a time: an array would have a type that the driver cannot read.
    latencies = [func.percentile_cont(share).within_group(log.inference_time_ms) for share in PERCENTILES]
    rows, truncated, confidence, novelty, given, agreed, *milliseconds = session.execute(
        select(
            func.count(),
            func.avg(case((log.truncated, 1.0), else_=0.0)),
            func.avg(log.confidence),
            func.avg(log.novelty),
            func.count(log.feedback_label),
            func.count().filter(log.feedback_label == log.sentiment),
            *latencies,
        ).where(window.contains())
    ).one()
    return {
        "predictions": rows,
        "over_time": _over_time(session, window),
        "by_sentiment": _count(session, window, log.sentiment),
        "by_model_version": count_by_version(session, window),
        "truncated_share": None if truncated is None else float(truncated),
        "confidence": {"mean": confidence, "histogram": _confidence_histogram(session, window)},
        "novelty": {"mean": novelty},
        "inference_time_ms": {
            f"p{round(share * 100)}": value for share, value in zip(PERCENTILES, milliseconds, strict=True)
        },
        "feedback": {"given": given, "agreed": agreed},
    }


def _confidence_histogram(session: Session, window: Window) -> list[dict[str, float | int]]:
    # width_bucket counts from 1 and puts the upper bound into a bucket of its own.
    number = func.least(func.width_bucket(PredictionLog.confidence, 0.0, 1.0, HISTOGRAM_BINS), HISTOGRAM_BINS)
    counts = _count(session, window, number)
    width = 1 / HISTOGRAM_BINS
    return [
        {
            "from": round((bin_ - 1) * width, 4),
            "to": round(bin_ * width, 4),
            "predictions": counts.get(bin_, 0),
        }
        for bin_ in range(1, HISTOGRAM_BINS + 1)
    ]


def _over_time(session: Session, window: Window) -> list[dict[str, Any]]:
    log = PredictionLog
    ends = [instant.timestamp() for instant in (window.since, window.until)]
    bucket = func.width_bucket(func.extract("epoch", log.predicted_at), *ends, TIME_BINS)
    # The window is defined by ids, whose milliseconds may round to either side of its ends.
    number = func.greatest(1, func.least(bucket, TIME_BINS)).label("bin")
    columns = (number, log.sentiment, log.confidence, log.inference_time_ms)
    rows = select(*columns).where(window.contains()).subquery()
    median, high = (
        func.percentile_cont(share).within_group(rows.c.inference_time_ms) for share in (0.5, 0.95)
    )
    metrics = {
        row[0]: row[1:]
        for row in session.execute(
            select(rows.c.bin, func.count(), func.avg(rows.c.confidence), median, high).group_by(rows.c.bin)
        )
    }
    labels: dict[int, dict[str, int]] = {}
    for bin_, label, count in session.execute(
        select(rows.c.bin, rows.c.sentiment, func.count()).group_by(rows.c.bin, rows.c.sentiment)
    ):
        labels.setdefault(bin_, {})[label] = count
    length = (window.until - window.since) / TIME_BINS
    bins = []
    for bin_ in range(1, TIME_BINS + 1):
        predictions, confidence, p50, p95 = metrics.get(bin_, (0, None, None, None))
        bins.append(
            {
                "since": window.since + (bin_ - 1) * length,
                "predictions": predictions,
                "by_sentiment": labels.get(bin_, {}),
                "confidence": confidence,
                "inference_time_ms": {"p50": p50, "p95": p95},
            }
        )
    return bins


def _count(session: Session, window: Window, what: Any) -> dict[Any, int]:
    values = select(what.label("value")).where(window.contains()).subquery()
    query = select(values.c.value, func.count()).group_by(values.c.value)
    return {value: count for value, count in session.execute(query)}
