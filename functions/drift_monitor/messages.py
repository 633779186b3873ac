"""Hands a message to SNS in the form that it takes: who reads it and how is decided by subscriptions."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import boto3

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

SUBJECT_LIMIT = 99  # SNS refuses 100 characters and more, line breaks, and anything but ASCII


@dataclass(frozen=True)
class Message:
    """What people read, and the attributes that subscriptions filter by."""

    subject: str
    body: str
    attributes: Mapping[str, str]


@cache
def sns() -> "SNSClient":
    """Make the client once."""
    return boto3.client("sns")


def publish(topic_arn: str, message: Message) -> None:
    """Publish the message; its subject is cut to what SNS allows."""
    plain = " ".join(message.subject.split()).encode("ascii", "replace").decode()
    if len(plain) > SUBJECT_LIMIT:
        plain = plain[: SUBJECT_LIMIT - 3] + "..."
    sns().publish(
        TopicArn=topic_arn,
        Subject=plain,
        Message=message.body,
        MessageAttributes={
            name: {"DataType": "String", "StringValue": value} for name, value in message.attributes.items()
        },
    )
