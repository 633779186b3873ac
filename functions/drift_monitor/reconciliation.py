"""Compares, once a day, how many predictions were answered with how many are stored.

What was answered is counted apart from what is stored (TrafficCounted), so a message that got lost between
the two shows. Each day is an alert of its own, and is looked at again for as long as its messages may still
arrive from a queue: once they have, the alert is over.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from math import ceil
from typing import Any

from sentiment.database.models import MonitoringAlert
from sentiment.database.session import transaction
from sentiment.database.traffic import ReconciledDay, counted_spans, reconcile_days
from sentiment.database.windows import Window, count_by_version
from sentiment.messages import TrafficCounted
from sqlalchemy import Engine

from functions.drift_monitor.alerting.alerts import Finding
from functions.drift_monitor.alerting.failures import failure_finding
from functions.drift_monitor.alerting.plain_text import paragraph
from functions.drift_monitor.errors import KIND as FAILURE
from functions.drift_monitor.errors import MonitorError, Severity

KIND = "reconciliation"
NOT_COUNTED = "traffic_not_counted"
BROKEN = "reconciliation"  # the failure's cause when something unforeseen kept it from comparing
OWN_FAILURES = (NOT_COUNTED, BROKEN)  # no run that looks for drift ends these
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RECHECKED = 14 * DAY  # how long queues keep what could not be stored
EDGE_MINUTES = 1  # a prediction may be counted that much before or after the time in its id


@dataclass(frozen=True)
class Comparison:
    """One day, and by how much its figures may differ without meaning anything."""

    day: ReconciledDay
    slack: int

    @property
    def missing(self) -> int:
        """Return how many answered predictions are not stored; 0 where the edges of the count explain it."""
        return self.day.difference if self.day.difference > self.slack else 0

    @property
    def surplus(self) -> int:
        """Return how many stored predictions nobody counted; 0 likewise."""
        return -self.day.difference if -self.day.difference > self.slack else 0


@dataclass(frozen=True)
class Reconciled:
    """What a reconciliation has to say."""

    findings: list[Finding]
    figures: dict[str, Any]
    missing: int | None  # of the day before; None when it could not be compared
    at: datetime

    def ends(self, alert: MonitoringAlert) -> str | None:
        """Say why an open alert that was not found again is over, or None when it is not known to be."""
        if alert.seen_at > self.at:  # by a later comparison than this one of a past day
            return None
        if alert.kind == KIND:
            kept = alert.cause >= self.figures["since"]
            return (
                "Stored now is what was answered"
                if kept
                else "What is still missing is lost: queues keep it no longer"
            )
        if alert.kind == FAILURE and alert.cause in OWN_FAILURES:
            return "It was compared again"
        return None


def reconcile(engine: Engine, at: datetime, runbook_url: str) -> Reconciled:
    """Compare the day before `at` (UTC) and those before it whose messages may still arrive.

    A day that nobody counted is a failure of its own and no calm, unless there was no system yet.
    """
    today = datetime.combine(at.astimezone(UTC).date(), time(), tzinfo=UTC)
    yesterday = Window(today - DAY, today)
    with transaction(engine) as session:
        # Up to now, as a span may begin before midnight and end after it.
        spans = counted_spans(session, Window(today - RECHECKED, at))
        days = [
            day for day in reconcile_days(session, Window(today - RECHECKED, at)) if day.day < today.date()
        ]
        stored = sum(count_by_version(session, yesterday).values())
    compared = [Comparison(day, slack_of(_spans_of(day.day, spans))) for day in days]
    findings = [_finding(one, runbook_url) for one in compared if one.missing or one.surplus]
    last = next((one for one in compared if one.day.day == yesterday.since.date()), None)
    if problem := _gap(yesterday, spans, stored, last):
        findings.append(failure_finding(problem, runbook_url))
    figures = {
        "reconciled": last is not None,
        "day": yesterday.since.date().isoformat(),
        "since": (today - RECHECKED).date().isoformat(),
        "served": last and last.day.served,
        "stored": last.day.stored if last else stored,
        "missing": last and last.missing,
        "hours_counted": round(_hours_counted(yesterday, spans), 2),
    }
    return Reconciled(findings, figures, last.missing if last else None, at)


def slack_of(spans: Sequence[TrafficCounted]) -> int:
    """Return by how many predictions spans may differ from what is stored: a minute's at each open edge.

    Where one span follows the other, what the first misses the second has.
    """
    starts, ends = {span.since for span in spans}, {span.until for span in spans}
    slack = 0.0
    for span in spans:
        minutes = (span.until - span.since) / timedelta(minutes=1)
        edges = (span.since not in ends) + (span.until not in starts)
        slack += edges * EDGE_MINUTES * span.predictions / max(minutes, EDGE_MINUTES)
    return ceil(slack)


def _spans_of(day: date, spans: Sequence[TrafficCounted]) -> list[TrafficCounted]:
    return [span for span in spans if span.since.astimezone(UTC).date() == day]


def _gap(
    day: Window, spans: Sequence[TrafficCounted], stored: int, compared: Comparison | None
) -> MonitorError | None:
    """Say which part of the day nobody counted, if any; before the first count there was nothing to count.

    A laptop that slept is recorded. It is told when predictions are stored of that time: somebody answered.
    """
    name = f"{day.since:%Y-%m-%d}"
    if compared is None:
        if not stored and not any(span.since < day.until for span in spans):
            return None
        return MonitorError(
            NOT_COUNTED,
            f"nobody counted what the API answered on {name}, so nobody knows whether its predictions are "
            f"stored ({stored:,} are)",
            severity="critical" if stored else "warning",
            anchor="traffic-not-counted",
        )
    due = (day.until - max(day.since, spans[0].since)) / HOUR
    gap = due - _hours_counted(day, spans)
    if gap < EDGE_MINUTES / 60:
        return None
    return MonitorError(
        NOT_COUNTED,
        f"{gap:.1f} of {due:.1f} hours of {name} were not counted; of those nobody knows whether their "
        "predictions are stored",
        severity="warning" if stored - compared.day.stored > compared.slack else "info",
        anchor="traffic-not-counted",
    )


def _hours_counted(day: Window, spans: Sequence[TrafficCounted]) -> float:
    shared = (min(span.until, day.until) - max(span.since, day.since) for span in spans)
    return sum(max(timedelta(), time_) / HOUR for time_ in shared)


def _finding(one: Comparison, runbook_url: str) -> Finding:
    day = one.day
    what = f"{one.missing:,} are missing" if one.missing else f"{one.surplus:,} more than were counted"
    message = f"Reconciliation: of {day.served:,} predictions of {day.day} {day.stored:,} are stored, {what}"
    meaning = (
        "They wait in the queue, lie among the dead letters or under unsent/, or are lost. This is looked at "
        f"again each day for {RECHECKED.days} days, and is over once they are stored."
        if one.missing
        else "What the API answered is not counted as a whole, so missing predictions may go unseen."
    )
    body = [*paragraph(meaning), "", "What to do:", f"{runbook_url}#missing-predictions"]
    details = {
        "day": day.day.isoformat(),
        "served": day.served,
        "stored": day.stored,
        "hours_counted": round(day.hours_counted, 2),
        "slack": one.slack,
    }
    severity: Severity = "critical" if one.missing else "warning"
    return Finding(KIND, day.day.isoformat(), severity, message, "\n".join(body), details)
