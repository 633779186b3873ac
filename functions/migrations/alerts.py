"""Tells people about predictions without a partition: a row in monitoring_alerts, and SNS if a topic is set.

Nothing here looks for strays; partitions.py counts them.
"""

from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING

import boto3
from sentiment.database.alerts import mark_notified, raise_alert, resolve_alert
from sentiment.database.session import transaction
from sqlalchemy import Engine

from functions.migrations.partitions import DEFAULT, Maintenance

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

KIND = "stray_predictions"


@cache
def sns() -> "SNSClient":
    """Make the client once."""
    return boto3.client("sns")


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
        sns().publish(TopicArn=topic_arn, Subject="Predictions without a partition", Message=message)
        with transaction(engine) as session:
            mark_notified(session, alert_id)
