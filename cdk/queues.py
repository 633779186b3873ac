"""Dead-letter queues: what a schedule or subscription could not deliver, kept for two weeks."""

import aws_cdk as cdk
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.acknowledgments import acknowledge


def dead_letter_queue(scope: Construct, id: str) -> sqs.Queue:
    """Make an encrypted queue that takes messages over TLS only; an alarm should watch it."""
    queue = sqs.Queue(
        scope,
        id,
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=cdk.Duration.days(14),
    )
    acknowledge(
        queue, {"AwsSolutions-SQS3": "It is itself the dead-letter queue of a schedule or subscription."}
    )
    return queue
