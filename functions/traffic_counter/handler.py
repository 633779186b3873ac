"""Counts, hourly, what the API answered, apart from what is stored of it, so that the two can be compared.

One message carries the count into the queue of the predictions, and the log writer stores it: this function
needs no way to Postgres. It compares nothing; that is the drift monitor's reconciliation.
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
# AWS's own figures are in CloudWatch some minutes after the fact, ours when it has read them from the log.
SETTLED = timedelta(minutes=15)


@cache
def sqs() -> "SQSClient":
    """Make the client once."""
    return boto3.client("sqs", config=CLIENT)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Count the last whole hour that had ended a quarter of an hour before the event's `scheduled_at`.

    `scheduled_at` is ISO 8601, and now if there is none. Repeating an event counts the same hour again, and
    the later count replaces the earlier. Raises TrafficError when the hour cannot be counted.
    """
    now = datetime.now(UTC)
    until = hour_of(read_time(event.get("scheduled_at"), now) - SETTLED)
    if until > now - SETTLED:
        raise InvalidInputError(f"the hour up to {until.isoformat()} cannot be counted yet")
    counted = count_traffic(until - HOUR, until, settings())
    sqs().send_message(QueueUrl=settings().queue_url, MessageBody=counted.model_dump_json())
    figures = counted.model_dump(mode="json", exclude={"type"})
    logger(SERVICE).info("traffic counted", extra=figures)
    return figures


def read_time(given: object, now: datetime) -> datetime:
    """Return the instant that an event names, taken for UTC without an offset."""
    try:
        time = datetime.fromisoformat(str(given)) if given else now
    except ValueError:
        raise InvalidInputError("scheduled_at must be ISO 8601, such as 2026-11-23T20:20:00Z") from None
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def hour_of(time: datetime) -> datetime:
    """Return the beginning of the hour that a time is in."""
    return time.replace(minute=0, second=0, microsecond=0)
