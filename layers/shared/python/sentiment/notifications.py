"""Notifications by SNS, in one form for all functions. Subscriptions decide who receives them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

SUBJECT_LIMIT = 99  # SNS rejects 100 characters or more, line breaks, and anything but ASCII


@dataclass(frozen=True)
class Notification:
    """A plain-text message; subscriptions can filter by its attributes."""

    subject: str
    body: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@cache
def sns() -> "SNSClient":
    """Make the client once."""
    import boto3

    return boto3.client("sns")


def publish(topic_arn: str, notification: Notification) -> None:
    """Publish the notification; its subject is cut to what SNS allows. Raises botocore's ClientError."""
    sns().publish(
        TopicArn=topic_arn,
        Subject=plain_subject(notification.subject),
        Message=notification.body,
        MessageAttributes={
            name: {"DataType": "String", "StringValue": value}
            for name, value in notification.attributes.items()
        },
    )


def plain_subject(text: str) -> str:
    """Return the text as a valid SNS subject: one line of ASCII, shortened with dots where it is too long."""
    plain = " ".join(text.split()).encode("ascii", "replace").decode()
    return plain if len(plain) <= SUBJECT_LIMIT else plain[: SUBJECT_LIMIT - 3] + "..."
