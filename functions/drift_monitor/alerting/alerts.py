"""Keeps monitoring_alerts in step with what a run found, and notifies: when new, escalated or resolved.

Rows are committed before messages are published. If SNS fails, the run fails, and the next run publishes what
is missing. A message may therefore arrive twice, but is never lost. All times are the run's own (when it was
due), so repeating a run changes nothing. Whether a verdict lasts long enough to notify is decided in
verdict_history.
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

SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")  # in ascending order
ESCALATE_AFTER = timedelta(hours=24)  # a notified alert that is still found after this is critical


@dataclass(frozen=True)
class Finding:
    """Something worth an alert; kind and cause identify it across runs."""

    kind: str
    cause: str
    severity: Severity  # info is recorded and not sent
    message: str  # one line: the subject, and what the table holds
    body: str  # details and what to do, as plain text
    details: dict[str, Any]
    model_version: str | None = None


@dataclass(frozen=True)
class NotificationPolicy:
    """The topic, the time of the run, and how long a returning alert is not sent again."""

    topic_arn: str
    at: datetime
    cooldown: timedelta


@dataclass(frozen=True)
class AlertChanges:
    """How many alerts a run sent and how many it resolved."""

    notified: int
    resolved: int


def sync_alerts(
    engine: Engine,
    findings: Sequence[Finding],
    policy: NotificationPolicy,
    *,
    resolution: Callable[[MonitoringAlert], str | None],
) -> AlertChanges:
    """Open or refresh an alert per finding, and resolve the others that `resolution` gives a reason for.

    `resolution` returns None for an alert that may still be open. Publishes new and escalated alerts, and the
    resolution of every alert that was sent.
    """
    found = {(finding.kind, finding.cause) for finding in findings}
    with transaction(engine) as session:
        due = [sent for finding in findings if (sent := _record(session, finding, policy))]
        resolved = [
            _ResolvedAlert.of(alert, reason, policy.at)
            for alert in open_alerts(session)
            if (alert.kind, alert.cause) not in found and (reason := resolution(alert)) is not None
        ]
    for alert_id, message in due:
        publish(policy.topic_arn, message)
        with transaction(engine) as session:
            mark_notified(session, alert_id, at=policy.at)
    for alert in resolved:
        if alert.message is not None:
            publish(policy.topic_arn, alert.message)
        with transaction(engine) as session:
            resolve_alert(session, kind=alert.kind, cause=alert.cause, at=policy.at)
    return AlertChanges(len(due), len(resolved))


def worst(*severities: str) -> Severity:
    """Return the highest severity."""
    return SEVERITIES[max(map(SEVERITIES.index, severities))]


def _record(
    session: Session, finding: Finding, policy: NotificationPolicy
) -> tuple[UUID, Notification] | None:
    """Bring the finding's row up to date; return its id and message if it has to be sent."""
    last = last_notified(session, kind=finding.kind, cause=finding.cause)
    before = next(
        (a for a in open_alerts(session) if (a.kind, a.cause) == (finding.kind, finding.cause)), None
    )
    severity = finding.severity
    if before is not None:
        # An open alert only escalates; otherwise it would be sent again each time it wavers.
        severity = worst(severity, before.severity)
        old = before.notified_at is not None and policy.at - before.raised_at >= ESCALATE_AFTER
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
    subject = f"{'Escalated: ' if status == 'escalated' else ''}{finding.message}"
    intro = [
        *paragraph(f"{finding.message}."),
        f"Severity {severity}, first seen {_minute(alert.raised_at)}.",
    ]
    attributes = _attributes(finding.kind, severity, status, finding.model_version)
    return alert.id, Notification(subject, "\n".join([*intro, "", finding.body]), attributes)


def _status(alert: MonitoringAlert, last: MonitoringAlert | None, policy: NotificationPolicy) -> str | None:
    """Return the status that the message reports, or None if there is nothing to send (yet)."""
    if alert.severity == "info":
        return None
    sent = None if last is None else last.notified_severity or last.severity
    escalated = sent is not None and worst(sent, alert.severity) != sent
    if alert.notified_at is not None:
        return "escalated" if escalated else None
    # It was resolved and has returned: within the cool-down it is sent only if it escalated.
    # abs(), because a run with a later time may have sent it; that must not silence runs before it.
    sent_at = None if last is None else last.notified_at
    cooling = sent_at is not None and abs(policy.at - sent_at) < policy.cooldown
    return None if cooling and not escalated else "open"


@dataclass(frozen=True)
class _ResolvedAlert:
    """What is needed of an alert after its session has ended; no message if the alert was never sent."""

    kind: str
    cause: str
    message: Notification | None

    @classmethod
    def of(cls, alert: MonitoringAlert, reason: str, at: datetime) -> "_ResolvedAlert":
        if alert.notified_at is None:
            return cls(alert.kind, alert.cause, None)
        lines = [
            *paragraph(f"{reason}."),
            "",
            *paragraph(f"Alert: {alert.message}"),
            f"Open from {_minute(alert.raised_at)} to {_minute(at)}.",
        ]
        # The severity that was sent, so that subscriptions that filter by it also get the resolution.
        attributes = _attributes(
            alert.kind,
            alert.notified_severity or alert.severity,
            "resolved",
            alert.details.get("model_version"),
        )
        subject = f"Resolved: {alert.kind.replace('_', ' ')}"
        return cls(alert.kind, alert.cause, Notification(subject, "\n".join(lines), attributes))


def _attributes(kind: str, severity: str, status: str, model_version: str | None) -> dict[str, str]:
    attributes = {"kind": kind, "severity": severity, "status": status}
    return attributes | ({"model_version": model_version} if model_version else {})


def _minute(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
