"""Compares, once a day, how many predictions were answered with how many are stored.

Answered predictions are counted independently of storage (TrafficCounted), so a message lost in between
shows. Each day has an alert of its own. A day is compared again as long as its messages may still arrive from
a queue; once they are stored, the alert is resolved.
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
BROKEN = "reconciliation"  # cause of the failure if the comparison itself fails
OWN_FAILURES = (NOT_COUNTED, BROKEN)  # drift runs do not resolve these
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RECHECKED = 14 * DAY  # how long the queues keep messages
EDGE_MINUTES = 1  # how far the count of a prediction may be from the time in its id


@dataclass(frozen=True)
class Comparison:
    """One day, and how much its counts may differ for reasons of timing."""

    day: ReconciledDay
    slack: int

    @property
    def missing(self) -> int:
        """Return how many answered predictions are not stored; 0 if the slack explains it."""
        return self.day.difference if self.day.difference > self.slack else 0

    @property
    def surplus(self) -> int:
        """Return how many stored predictions were not counted; 0 if the slack explains it."""
        return -self.day.difference if -self.day.difference > self.slack else 0


@dataclass(frozen=True)
class ReconciliationResult:
    """What a reconciliation found."""

    findings: list[Finding]
    counts: dict[str, Any]
    missing: int | None  # of the day before; None if it could not be compared
    at: datetime

    def resolution(self, alert: MonitoringAlert) -> str | None:
        """Return why an open alert that was not found again is resolved, or None if it may still be open."""
        if alert.seen_at > self.at:  # a later comparison found it; this one is of a past day
            return None
        if alert.kind == KIND:
            rechecked = alert.cause >= self.counts["since"]
            return (
                "All answered predictions are stored now"
                if rechecked
                else "Predictions that are still missing are lost: the queues no longer keep them"
            )
        if alert.kind == FAILURE and alert.cause in OWN_FAILURES:
            return "The comparison works again"
        return None


def reconcile(engine: Engine, at: datetime, runbook_url: str) -> ReconciliationResult:
    """Compare the day before `at` (UTC), and earlier days whose messages may still arrive.

    A day without counts is a failure of its own, unless the system did not exist yet.
    """
    today = datetime.combine(at.astimezone(UTC).date(), time(), tzinfo=UTC)
    yesterday = Window(today - DAY, today)
    with transaction(engine) as session:
        # Up to now, because a span may begin before midnight and end after it.
        spans = counted_spans(session, Window(today - RECHECKED, at))
        days = [
            day for day in reconcile_days(session, Window(today - RECHECKED, at)) if day.day < today.date()
        ]
        stored = sum(count_by_version(session, yesterday).values())
    compared = [Comparison(day, slack_of(_spans_of(day.day, spans))) for day in days]
    findings = [_finding(each, runbook_url) for each in compared if each.missing or each.surplus]
    last = next((each for each in compared if each.day.day == yesterday.since.date()), None)
    if failure := _gap(yesterday, spans, stored, last):
        findings.append(failure_finding(failure, runbook_url))
    counts = {
        "reconciled": last is not None,
        "day": yesterday.since.date().isoformat(),
        "since": (today - RECHECKED).date().isoformat(),
        "served": last and last.day.served,
        "stored": last.day.stored if last else stored,
        "missing": last and last.missing,
        "hours_counted": round(_hours_counted(yesterday, spans), 2),
    }
    return ReconciliationResult(findings, counts, last.missing if last else None, at)


def slack_of(spans: Sequence[TrafficCounted]) -> int:
    """Return how many predictions the count may differ by: those of a minute at each open edge.

    Between adjacent spans there is none: what one misses, the other counts.
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
    """Return a failure if part of the day was not counted; before the first count there was no system.

    A gap without predictions is only recorded (a laptop slept). With predictions, it sends an alert.
    """
    name = f"{day.since:%Y-%m-%d}"
    if compared is None:
        if not stored and not any(span.since < day.until for span in spans):
            return None
        return MonitorError(
            NOT_COUNTED,
            f"the traffic of {name} was not counted, so it is unknown whether all its predictions are stored "
            f"({stored:,} are)",
            severity="critical" if stored else "warning",
            anchor="traffic-not-counted",
        )
    due = (day.until - max(day.since, spans[0].since)) / HOUR
    gap = due - _hours_counted(day, spans)
    if gap < EDGE_MINUTES / 60:
        return None
    return MonitorError(
        NOT_COUNTED,
        f"{gap:.1f} of {due:.1f} hours of {name} were not counted, so it is unknown whether all their "
        "predictions are stored",
        severity="warning" if stored - compared.day.stored > compared.slack else "info",
        anchor="traffic-not-counted",
    )


def _hours_counted(day: Window, spans: Sequence[TrafficCounted]) -> float:
    overlaps = (min(span.until, day.until) - max(span.since, day.since) for span in spans)
    return sum(max(timedelta(), overlap) / HOUR for overlap in overlaps)


def _finding(comparison: Comparison, runbook_url: str) -> Finding:
    day = comparison.day
    difference = (
        f"{comparison.missing:,} missing"
        if comparison.missing
        else f"{comparison.surplus:,} more than counted"
    )
    message = (
        f"Reconciliation: {day.stored:,} of {day.served:,} predictions of {day.day} stored, {difference}"
    )
    meaning = (
        "They are in the queue, in the dead-letter queue or under unsent/, or lost. The day is compared "
        f"again daily for {RECHECKED.days} days; once they are stored, this alert is resolved."
        if comparison.missing
        else "The count of answered predictions is incomplete, so missing predictions may go undetected."
    )
    body = [*paragraph(meaning), "", "Runbook:", f"{runbook_url}#missing-predictions"]
    details = {
        "day": day.day.isoformat(),
        "served": day.served,
        "stored": day.stored,
        "hours_counted": round(day.hours_counted, 2),
        "slack": comparison.slack,
    }
    severity: Severity = "critical" if comparison.missing else "warning"
    return Finding(KIND, day.day.isoformat(), severity, message, "\n".join(body), details)
