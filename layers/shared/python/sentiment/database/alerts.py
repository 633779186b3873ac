"""Monitoring alerts, from opened to resolved. Each kind and cause has at most one open alert.

Functions take the caller's session and never commit.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from sentiment.database.models import MonitoringAlert
from sentiment.database.statements import page


def raise_alert(
    session: Session,
    *,
    kind: str,
    cause: str,
    severity: str,
    message: str,
    details: Mapping[str, Any],
    at: datetime | None = None,
) -> MonitoringAlert:
    """Open an alert, or update the open one of the same kind and cause, and return it.

    `at` is when it was found (default: now). Here and below, callers that evaluate a window pass its end.
    """
    seen_at = at or func.now()
    new = {"severity": severity, "message": message, "details": dict(details), "seen_at": seen_at}
    statement = (
        insert(MonitoringAlert)
        .values(kind=kind, cause=cause, raised_at=seen_at, **new)
        .on_conflict_do_update(
            index_elements=[MonitoringAlert.kind, MonitoringAlert.cause],
            index_where=MonitoringAlert.resolved_at.is_(None),
            set_=new,
        )
        .returning(MonitoringAlert)
    )
    return session.scalars(statement, execution_options={"populate_existing": True}).one()


def resolve_alert(session: Session, *, kind: str, cause: str, at: datetime | None = None) -> None:
    """Resolve the open alert of that kind and cause, if there is one."""
    session.execute(
        update(MonitoringAlert)
        .where(
            MonitoringAlert.kind == kind,
            MonitoringAlert.cause == cause,
            MonitoringAlert.resolved_at.is_(None),
        )
        .values(resolved_at=at or func.now())
    )


def mark_notified(session: Session, alert_id: UUID, *, at: datetime | None = None) -> None:
    """Record that a notification of the alert was sent, and its severity."""
    session.execute(
        update(MonitoringAlert)
        .where(MonitoringAlert.id == alert_id)
        .values(notified_at=at or func.now(), notified_severity=MonitoringAlert.severity)
    )


def last_notified(session: Session, *, kind: str, cause: str) -> MonitoringAlert | None:
    """Return the alert of that kind and cause, open or resolved, that was notified last."""
    query = (
        select(MonitoringAlert)
        .where(
            MonitoringAlert.kind == kind,
            MonitoringAlert.cause == cause,
            MonitoringAlert.notified_at.is_not(None),
        )
        .order_by(MonitoringAlert.notified_at.desc())
        .limit(1)
    )
    return session.scalar(query)


def open_alerts(session: Session) -> Sequence[MonitoringAlert]:
    """Return the open alerts, oldest first."""
    query = (
        select(MonitoringAlert)
        .where(MonitoringAlert.resolved_at.is_(None))
        .order_by(MonitoringAlert.raised_at)
    )
    return session.scalars(query).all()


def find_alerts(
    session: Session, *, limit: int, open_only: bool, kind: str | None = None, before: UUID | None = None
) -> Sequence[MonitoringAlert]:
    """Return the latest alerts, newest first; `before` is the last id of the previous page."""
    alert = MonitoringAlert
    query = select(alert)
    if open_only:
        query = query.where(alert.resolved_at.is_(None))
    if kind is not None:
        query = query.where(alert.kind == kind)
    return session.scalars(page(session, query, alert, alert.raised_at, limit, before)).all()
