"""Tells people about predictions without a partition: a row in monitoring_alerts, and SNS if a topic is set.

Nothing here looks for strays; partitions.py counts them.
"""

from dataclasses import asdict

from sentiment.database.alerts import mark_notified, raise_alert, resolve_alert
from sentiment.database.session import transaction
from sentiment.notifications import Notification, publish
from sqlalchemy import Engine

from functions.migrations.partitions import DEFAULT, Maintenance

KIND = "stray_predictions"


def report_strays(engine: Engine, found: Maintenance, topic_arn: str | None) -> None:
    """Raise one alert for as long as there are strays, close it when there are none, and notify once.

    The notification follows the commit: when it fails, the alert is stored and the next run notifies.
    """
    left = found.strays - found.moved - found.expired
    message = (
        f"{found.strays} predictions had no partition: {found.moved} moved into one, {found.expired} past "
        f"retention were deleted, {left} are left in {DEFAULT}; look for a clock that is wrong"
    )
    with transaction(engine) as session:
        if not found.strays:
            resolve_alert(session, kind=KIND, cause=DEFAULT)
            return
        details = asdict(found)
        alert = raise_alert(
            session, kind=KIND, cause=DEFAULT, severity="warning", message=message, details=details
        )
        alert_id, notified = alert.id, alert.notified_at is not None
    if topic_arn is not None and not notified:
        publish(topic_arn, Notification("Predictions without a partition", message))
        with transaction(engine) as session:
            mark_notified(session, alert_id)
