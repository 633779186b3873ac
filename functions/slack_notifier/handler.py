"""Passes what SNS says on to a Slack channel.

It decides nothing: who is told what is the topic's filter policy, and what is worth telling is the sender's.
When Slack does not take a message the invocation fails, and Lambda's retries and dead-letter queue take over.
"""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from sentiment.logging import logger

from functions.slack_notifier.blocks import message_of
from functions.slack_notifier.notification import read_notice
from functions.slack_notifier.settings import SERVICE, settings
from functions.slack_notifier.webhook import deliver


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """Post each record (SNS sends one at a time) and return how many; raises SlackError for the first lost.

    Repeating an event posts it again: a message twice is better than none.
    """
    secret_arn = settings().slack_webhook_secret_arn
    for record in event["Records"]:
        sns = record["Sns"]
        notice = read_notice(sns)
        deliver(
            message_of(notice),
            secret_arn,
            remaining_seconds=lambda: context.get_remaining_time_in_millis() / 1000,
        )
        logger(SERVICE).info("posted", sns_message_id=sns.get("MessageId"), mood=notice.mood)
    return {"posted": len(event["Records"])}
