"""Alerts about predictions without a partition: a row in monitoring_alerts, and SNS if a topic is set.

partitions.py counts these strays.
"""

from dataclasses import asdict

from sentiment.database.alerts import mark_notified, raise_alert, resolve_alert
from sentiment.database.session import transaction
from sentiment.notifications import Notification, publish
from sqlalchemy import Engine

from functions.migrations.partitions import DEFAULT, Maintenance

KIND = "stray_predictions"


def report_strays(engine: Engine, maintenance: Maintenance, topic_arn: str | None) -> None:
    """Keep one alert open while there are strays, and notify once; resolve it when there are none.

    The notification follows the commit: if it fails, the alert is stored and the next run notifies.
    """
    left = maintenance.strays - maintenance.moved - maintenance.expired
    message = (
        f"{maintenance.strays} predictions had no partition: {maintenance.moved} moved into one, "
        f"{maintenance.expired} past retention were deleted, {left} are left in {DEFAULT}; check for a wrong "
        "clock"
    )
    with transaction(engine) as session:
        if not maintenance.strays:
            resolve_alert(session, kind=KIND, cause=DEFAULT)
            return
        details = asdict(maintenance)
        alert = raise_alert(
            session, kind=KIND, cause=DEFAULT, severity="warning", message=message, details=details
        )
        alert_id, notified = alert.id, alert.notified_at is not None
    if topic_arn is not None and not notified:
        publish(topic_arn, Notification("Predictions without a partition", message))
        with transaction(engine) as session:
            mark_notified(session, alert_id)
