"""Keeps monitoring_alerts and people in step with what a run found: told once, when worse, and when over.

Rows come first and messages after the commit: when SNS fails, the run fails, and the next one tells what this
one could not. So a message may come twice but never gets lost. The clock is the run's own (when it was due),
so that repeating a run changes nothing. Whether something lasts long enough to be told is history.py's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sentiment.database.alerts import last_notified, mark_notified, open_alerts, raise_alert, resolve_alert
from sentiment.database.models import MonitoringAlert
from sentiment.database.session import transaction
from sentiment.notifications import Notification, publish
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from functions.drift_monitor.alerting.plain_text import paragraph
from functions.drift_monitor.errors import Severity

SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")  # by how much they matter
WORSENS_AFTER = timedelta(hours=24)  # what people were told of and is still found then is critical


@dataclass(frozen=True)
class Finding:
    """One thing that people should know; kind and cause are its identity over many runs."""

    kind: str
    cause: str
    severity: Severity  # info is recorded and not sent
    message: str  # one line: the subject, and what the table holds
    body: str  # what to know and do, as plain text
    details: dict[str, Any]
    model_version: str | None = None


@dataclass(frozen=True)
class NotificationPolicy:
    """Who is told, when it is, and how long the same thing is not told again."""

    topic_arn: str
    at: datetime
    cooldown: timedelta


@dataclass(frozen=True)
class AlertChanges:
    """What a run changed: how many messages went out, and how many alerts it closed."""

    told: int
    closed: int


def sync_alerts(
    engine: Engine,
    findings: Sequence[Finding],
    policy: NotificationPolicy,
    *,
    over: Callable[[MonitoringAlert], str | None],
) -> AlertChanges:
    """Open or refresh an alert per finding, and close those that were not found again and are over.

    `over` says of an open alert why it is, or None. Publishes what people have to hear: what is new, what got
    worse, and the end of what they were told of.
    """
    found = {(finding.kind, finding.cause) for finding in findings}
    with transaction(engine) as session:
        due = [told for finding in findings if (told := _record(session, finding, policy))]
        ended = [
            _Ended.of(alert, why, policy.at)
            for alert in open_alerts(session)
            if (alert.kind, alert.cause) not in found and (why := over(alert)) is not None
        ]
    for alert_id, message in due:
        publish(policy.topic_arn, message)
        with transaction(engine) as session:
            mark_notified(session, alert_id, at=policy.at)
    for end in ended:
        if end.message is not None:
            publish(policy.topic_arn, end.message)
        with transaction(engine) as session:
            resolve_alert(session, kind=end.kind, cause=end.cause, at=policy.at)
    return AlertChanges(len(due), len(ended))


def worst(*severities: str) -> Severity:
    """Return the severity that matters most."""
    return SEVERITIES[max(map(SEVERITIES.index, severities))]


def _record(
    session: Session, finding: Finding, policy: NotificationPolicy
) -> tuple[UUID, Notification] | None:
    """Bring the finding's row up to date; return its id and message when people have to be told."""
    last = last_notified(session, kind=finding.kind, cause=finding.cause)
    before = next(
        (a for a in open_alerts(session) if (a.kind, a.cause) == (finding.kind, finding.cause)), None
    )
    severity = finding.severity
    if before is not None:
        # While it is open it gets worse only; else it would be told anew each time it wavers.
        severity = worst(severity, before.severity)
        old = before.notified_at is not None and policy.at - before.raised_at >= WORSENS_AFTER
        if old and finding.severity != "info":
            severity = "critical"
    alert = raise_alert(
        session,
        kind=finding.kind,
        cause=finding.cause,
        severity=severity,
        message=finding.message,
        details=finding.details,
        at=policy.at,
    )
    status = _status(alert, last, policy)
    if status is None:
        return None
    subject = f"{'Worse: ' if status == 'escalated' else ''}{finding.message}"
    intro = [
        *paragraph(f"{finding.message}."),
        f"Severity {severity}, first seen {_minute(alert.raised_at)}.",
    ]
    attributes = _attributes(finding.kind, severity, status, finding.model_version)
    return alert.id, Notification(subject, "\n".join([*intro, "", finding.body]), attributes)


def _status(alert: MonitoringAlert, last: MonitoringAlert | None, policy: NotificationPolicy) -> str | None:
    """Return what the message is about, or None when there is nothing to tell (yet)."""
    if alert.severity == "info":
        return None
    told = None if last is None else last.notified_severity or last.severity
    worse = told is not None and worst(told, alert.severity) != told
    if alert.notified_at is not None:
        return "escalated" if worse else None
    # It was over and came back: within the cool-down that is no news unless it is worse.
    # Told at a time to come, by a run that was given one, it was not told just now.
    told_at = None if last is None else last.notified_at
    cooling = told_at is not None and abs(policy.at - told_at) < policy.cooldown
    return None if cooling and not worse else "open"


@dataclass(frozen=True)
class _Ended:
    """What is left of an alert's row when its session is closed; no message when nobody was told of it."""

    kind: str
    cause: str
    message: Notification | None

    @classmethod
    def of(cls, alert: MonitoringAlert, why: str, at: datetime) -> "_Ended":
        if alert.notified_at is None:
            return cls(alert.kind, alert.cause, None)
        lines = [
            *paragraph(f"{why}."),
            "",
            *paragraph(f"It was: {alert.message}"),
            f"Open from {_minute(alert.raised_at)} to {_minute(at)}.",
        ]
        # As severe as they were told, so that whoever filters by that hears the end as well.
        attributes = _attributes(
            alert.kind,
            alert.notified_severity or alert.severity,
            "resolved",
            alert.details.get("model_version"),
        )
        subject = f"Over: {alert.kind.replace('_', ' ')}"
        return cls(alert.kind, alert.cause, Notification(subject, "\n".join(lines), attributes))


def _attributes(kind: str, severity: str, status: str, model_version: str | None) -> dict[str, str]:
    attributes = {"kind": kind, "severity": severity, "status": status}
    return attributes | ({"model_version": model_version} if model_version else {})


def _minute(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
