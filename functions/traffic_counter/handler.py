"""Counts the API's traffic hourly, independently of what is stored, so that the two can be compared.

The count goes through the queue of the predictions and is stored by the log writer, so this function needs no
access to Postgres. The comparison is the drift monitor's reconciliation.
"""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext
from sentiment.exceptions import InvalidInputError
from sentiment.logging import logger

from functions.traffic_counter.settings import SERVICE, settings
from functions.traffic_counter.traffic_count import CLIENT, count_traffic

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

HOUR = timedelta(hours=1)
# CloudWatch has AWS's metrics after some minutes, and the API's own once it has read them from the log.
METRICS_DELAY = timedelta(minutes=15)


@cache
def sqs() -> "SQSClient":
    """Make the client once."""
    return boto3.client("sqs", config=CLIENT)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Count the last whole hour that ended at least 15 minutes before the event's `scheduled_at`.

    `scheduled_at` is ISO 8601; the default is now. Repeating an event counts the same hour again, and the
    later count replaces the earlier one. Raises TrafficError if the hour cannot be counted.
    """
    now = datetime.now(UTC)
    until = start_of_hour(parse_time(event.get("scheduled_at"), now) - METRICS_DELAY)
    if until > now - METRICS_DELAY:
        raise InvalidInputError(f"the hour up to {until.isoformat()} cannot be counted yet")
    counted = count_traffic(until - HOUR, until, settings())
    sqs().send_message(QueueUrl=settings().queue_url, MessageBody=counted.model_dump_json())
    values = counted.model_dump(mode="json", exclude={"type"})
    logger(SERVICE).info("traffic counted", extra=values)
    return values


def parse_time(value: object, now: datetime) -> datetime:
    """Return the time of an event; without an offset it is UTC."""
    try:
        time = datetime.fromisoformat(str(value)) if value else now
    except ValueError:
        raise InvalidInputError("scheduled_at must be ISO 8601, such as 2026-11-23T20:20:00Z") from None
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def start_of_hour(time: datetime) -> datetime:
    """Return the start of the hour that contains the time."""
    return time.replace(minute=0, second=0, microsecond=0)
