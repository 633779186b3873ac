"""Publishes messages to SNS. Who receives them is decided by the topic's subscriptions."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import boto3
from sentiment.notifications import plain_subject

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


@dataclass(frozen=True)
class Message:
    """Subject and body, and the attributes that subscriptions filter by."""

    subject: str
    body: str
    attributes: Mapping[str, str]


@cache
def sns() -> "SNSClient":
    """Make the client once."""
    return boto3.client("sns")


def publish(topic_arn: str, message: Message) -> None:
    """Publish the message; its subject is cut to what SNS allows."""
    sns().publish(
        TopicArn=topic_arn,
        Subject=plain_subject(message.subject),
        Message=message.body,
        MessageAttributes={
            name: {"DataType": "String", "StringValue": value} for name, value in message.attributes.items()
        },
    )
