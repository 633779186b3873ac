"""Posts SNS notifications to a Slack channel.

It filters nothing: the subscription's filter policy does. If Slack does not accept a message, the invocation
fails, and Lambda retries it and then sends it to the dead-letter queue.
"""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from sentiment.logging import logger

from functions.slack_notifier.blocks import build_message
from functions.slack_notifier.notification import parse_notification
from functions.slack_notifier.settings import SERVICE, settings
from functions.slack_notifier.webhook import deliver


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """Post each record (SNS sends one at a time) and return how many; raises SlackError on failure.

    Repeating an event posts it again: a duplicate is better than a lost message.
    """
    secret_arn = settings().slack_webhook_secret_arn
    for record in event["Records"]:
        sns = record["Sns"]
        notification = parse_notification(sns)
        deliver(
            build_message(notification),
            secret_arn,
            remaining_seconds=lambda: context.get_remaining_time_in_millis() / 1000,
        )
        logger(SERVICE).info("posted", sns_message_id=sns.get("MessageId"), style=notification.style)
    return {"posted": len(event["Records"])}
