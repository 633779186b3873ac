"""SQS queues, encrypted and over TLS only."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.acknowledgments import acknowledge

RETENTION = cdk.Duration.days(14)  # SQS's maximum


def encrypted_queue(scope: Construct, id: str, **options: Any) -> sqs.Queue:
    """Make a queue that keeps messages for two weeks; `options` go to the construct.

    SQS's own key encrypts it: if ours were lost, queue and bucket would not become unreadable together.
    """
    return sqs.Queue(
        scope,
        id,
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=RETENTION,
        **options,
    )


def dead_letter_queue(scope: Construct, id: str) -> sqs.Queue:
    """Make the dead-letter queue of a queue, function, schedule or subscription; give it an alarm."""
    queue = encrypted_queue(scope, id)
    acknowledge(queue, {"AwsSolutions-SQS3": "It is itself a dead-letter queue."})
    return queue
