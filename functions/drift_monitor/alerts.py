"""Keeps monitoring_alerts and people in step with what a run found: told once, told again when it is over.

Rows come first and messages after the commit: when SNS fails, the run fails, and the next one tells what this
one could not. So a message may come twice but never gets lost.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import boto3
from sentiment.database.models import MonitoringAlert
from sentiment.database.repositories import mark_notified, open_alerts, raise_alert, resolve_alert
from sentiment.database.session import transaction
from sqlalchemy import Engine

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

Severity = Literal["info", "warning", "critical"]
SUBJECT_LIMIT = 99  # SNS refuses 100 characters and more, line breaks, and anything but ASCII


@dataclass(frozen=True)
class Finding:
    """One thing that people should know; kind and cause are its identity over many runs."""

    kind: str
    cause: str
    severity: Severity  # info is recorded and not sent
    message: str  # one line: the subject, and what the table holds
    body: str  # what to know and do, as plain text
    details: dict[str, Any]


@dataclass(frozen=True)
class Settled:
    """What a run changed: the open alerts it confirmed, and those it closed."""

    told: int
    closed: int


@cache
def sns() -> "SNSClient":
    """Make the client once."""
    return boto3.client("sns")


def settle(
    engine: Engine, findings: Sequence[Finding], *, checked: Collection[str], topic_arn: str
) -> Settled:
    """Open or refresh an alert per finding, close those of the `checked` kinds that were not found again.

    Publishes what nobody was told yet, and a closing message for what people were told of.
    """
    found = {(finding.kind, finding.cause) for finding in findings}
    with transaction(engine) as session:
        raised = [(finding, _State.of(_record(session, finding))) for finding in findings]
        over = [
            (_State.of(alert), alert.kind, alert.cause, alert.message)
            for alert in open_alerts(session)
            if alert.kind in checked and (alert.kind, alert.cause) not in found
        ]
    told = 0
    for finding, state in raised:
        if state.notified_at is None and finding.severity != "info":
            body = f"{finding.body}\n\nOpen since {_minute(state.raised_at)}."
            _publish(topic_arn, finding.message, body, kind=finding.kind, severity=finding.severity)
            with transaction(engine) as session:
                mark_notified(session, state.id)
            told += 1
    for state, kind, cause, message in over:
        if state.notified_at is not None:
            body = f"It was: {message}\nIt was open from {_minute(state.raised_at)} to {_minute(_now())}."
            subject = f"Over: {kind.replace('_', ' ')}"
            _publish(topic_arn, subject, body, kind=kind, severity="info", status="resolved")
        with transaction(engine) as session:
            resolve_alert(session, kind=kind, cause=cause)
    return Settled(told, len(over))


@dataclass(frozen=True)
class _State:
    """What is left of an alert's row when its session is closed."""

    id: UUID
    raised_at: datetime
    notified_at: datetime | None

    @classmethod
    def of(cls, alert: MonitoringAlert) -> "_State":
        return cls(alert.id, alert.raised_at, alert.notified_at)


def _record(session: Any, finding: Finding) -> MonitoringAlert:
    return raise_alert(
        session,
        kind=finding.kind,
        cause=finding.cause,
        severity=finding.severity,
        message=finding.message,
        details=finding.details,
    )


def _publish(topic_arn: str, subject: str, body: str, *, status: str = "open", **attributes: str) -> None:
    plain = " ".join(subject.split()).encode("ascii", "replace").decode()
    if len(plain) > SUBJECT_LIMIT:
        plain = plain[: SUBJECT_LIMIT - 3] + "..."
    sns().publish(
        TopicArn=topic_arn,
        Subject=plain,
        Message=body,
        MessageAttributes={
            name: {"DataType": "String", "StringValue": value}
            for name, value in {**attributes, "status": status}.items()
        },
    )


def _now() -> datetime:
    return datetime.now(UTC)


def _minute(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
