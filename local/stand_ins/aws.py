"""The AWS services of the laptop: moto's server with the resources that the cloud stacks would make.

A process of its own, not moto's threaded server: it would share the interpreter lock with the gateway and the
event source and so lengthen every latency measured here. Its state lives in memory and ends with it; what
must outlive it (messages not stored yet) is the system's to keep. moto's queues scan all their messages on
every call, so they are good for some thousand waiting messages, not for a load test.
"""

import json
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from sentiment.exceptions import ConfigurationError

from cdk.function_config import MAX_RECEIVES
from local.processes import HOST, accepts, claim_port, stop, wait_until
from local.state import StateFolder

REGION = "eu-central-1"
START_SECONDS = 20.0
BATCH_ENTRIES = 10  # SQS's limit for one send, receive or delete
TELLINGS = 3  # as often as Lambda tries an event that SNS gave it
ACCOUNT = "123456789012"  # moto's
UNSENT_BUCKET, REPORT_BUCKET = "predictions-unsent", "monitoring-reports"


@dataclass(frozen=True)
class LocalAws:
    """Where the stand-ins listen and what was made in them."""

    endpoint_url: str
    queue_url: str
    dead_letter_url: str
    bucket: str
    report_bucket: str
    topic_arn: str
    alert_queue_url: str  # subscribed to the topic, as moto's SNS cannot call functions
    state_machine_arn: str | None
    training_queue_url: str  # where the state machine hands its work to local/retraining.py
    webhook_secret_arn: str | None

    def environment(self) -> dict[str, str]:
        """Return the variables from which boto3 and the functions' settings find all of it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            **_credentials(),
            "QUEUE_URL": self.queue_url,
            "DEAD_LETTER_QUEUE_URL": self.dead_letter_url,
            "UNSENT_BUCKET": self.bucket,
            "REPORT_BUCKET": self.report_bucket,
            "ALERT_TOPIC_ARN": self.topic_arn,
            **({"STATE_MACHINE_ARN": self.state_machine_arn} if self.state_machine_arn else {}),
            **({"SLACK_WEBHOOK_SECRET_ARN": self.webhook_secret_arn} if self.webhook_secret_arn else {}),
        }

    def client(self, service: str) -> Any:
        """Return a boto3 client for one of the stand-ins, whatever the caller's environment says."""
        return _client(service, self.endpoint_url)

    def keep_messages(self, path: Path) -> int:
        """Move the visible messages of all queues into a file that outlives moto; return how many."""
        sqs, kept = self.client("sqs"), 0
        for name, url in self._queues().items():
            while messages := sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=BATCH_ENTRIES, WaitTimeSeconds=0
            ).get("Messages"):
                with path.open("a") as file:
                    for message in messages:
                        file.write(json.dumps({"to": name, "body": message["Body"]}) + "\n")
                kept += len(messages)
        return kept

    def restore_messages(self, path: Path) -> int:
        """Put the messages of an earlier `keep_messages` back into their queues; return how many."""
        if not path.exists():
            return 0
        sqs, urls = self.client("sqs"), self._queues()
        entries = [json.loads(line) for line in path.read_text().splitlines()]
        for entry in entries:
            sqs.send_message(QueueUrl=urls[entry["to"]], MessageBody=entry["body"])
        path.unlink()
        return len(entries)

    def _queues(self) -> dict[str, str]:
        return {
            "queue": self.queue_url,
            "dead_letters": self.dead_letter_url,
            "alerts": self.alert_queue_url,
        }


@contextmanager
def running_aws(
    state: StateFolder,
    *,
    port: int | None = None,
    visibility_seconds: int = 10,
    slack_webhook_url: str | None = None,
    trains: bool = False,
) -> Iterator[LocalAws]:
    """Run moto for the length of the block with queues, buckets and topic made.

    `port=None` takes a free one. As in AWS, a message that was received MAX_RECEIVES times goes to the
    dead-letter queue. Raises ConfigurationError when the port is taken or moto does not start.
    """
    port = claim_port(port, what="the AWS stand-in", variable="AWS_PORT")
    log = state.logs / "aws.log"
    process = state.processes.start(
        [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(port)],
        log=log,
        environment={},
        folder=state.path,
    )
    try:
        wait_until(lambda: accepts(port) or process.poll() is not None, seconds=START_SECONDS)
        if process.poll() is not None or not accepts(port):
            raise ConfigurationError(f"the AWS stand-in did not start on port {port}; see {log}")
        yield make_resources(
            f"http://{HOST}:{port}",
            visibility_seconds,
            slack_webhook_url=slack_webhook_url,
            trains=trains,
        )
    finally:
        stop(process)


def count_messages(sqs: Any, queue_url: str) -> int:
    """Return how many messages a queue holds: visible, in flight and delayed."""
    names = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible", "Delayed")]
    attributes = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)["Attributes"]
    return sum(int(attributes[name]) for name in names)


def make_resources(
    endpoint_url: str,
    visibility_seconds: int,
    *,
    slack_webhook_url: str | None = None,
    trains: bool = False,
) -> LocalAws:
    """Make everything in an empty moto server; the state machine, which takes it a second, only if `trains`.

    Without a webhook there is no secret that would hold it.
    """
    sqs, s3, sns = (_client(service, endpoint_url) for service in ("sqs", "s3", "sns"))
    dead_letter_url = sqs.create_queue(QueueName="predictions-dead-letters")["QueueUrl"]
    redrive = {"deadLetterTargetArn": _queue_arn(sqs, dead_letter_url), "maxReceiveCount": MAX_RECEIVES}
    queue_url = sqs.create_queue(
        QueueName="predictions",
        Attributes={"VisibilityTimeout": str(visibility_seconds), "RedrivePolicy": json.dumps(redrive)},
    )["QueueUrl"]
    for bucket in (UNSENT_BUCKET, REPORT_BUCKET):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    topic_arn = sns.create_topic(Name="alerts")["TopicArn"]
    not_told_url = sqs.create_queue(QueueName="alerts-not-told")["QueueUrl"]
    redrive = {"deadLetterTargetArn": _queue_arn(sqs, not_told_url), "maxReceiveCount": TELLINGS}
    alert_queue_url = sqs.create_queue(
        QueueName="alerts",
        Attributes={"VisibilityTimeout": str(visibility_seconds), "RedrivePolicy": json.dumps(redrive)},
    )["QueueUrl"]
    sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=_queue_arn(sqs, alert_queue_url))
    training_queue_url = sqs.create_queue(QueueName="trainings")["QueueUrl"]
    return LocalAws(
        endpoint_url=endpoint_url,
        queue_url=queue_url,
        dead_letter_url=dead_letter_url,
        bucket=UNSENT_BUCKET,
        report_bucket=REPORT_BUCKET,
        topic_arn=topic_arn,
        alert_queue_url=alert_queue_url,
        state_machine_arn=_make_state_machine(endpoint_url, training_queue_url) if trains else None,
        training_queue_url=training_queue_url,
        webhook_secret_arn=slack_webhook_url and _keep_secret(endpoint_url, slack_webhook_url),
    )


def _make_state_machine(endpoint_url: str, queue_url: str) -> str:
    """Make the training's state machine: it hands each execution to a queue and waits for its outcome."""
    execute = json.dumps({"stepfunctions": {"execute_state_machine": True}}).encode()
    with urllib.request.urlopen(f"{endpoint_url}/moto-api/config", data=execute):  # noqa: S310 - our own
        pass
    work = {"token.$": "$$.Task.Token", "name.$": "$$.Execution.Name", "input.$": "$"}
    train = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": queue_url, "MessageBody": work},
        "End": True,
    }
    return str(
        _client("stepfunctions", endpoint_url).create_state_machine(
            name="training",
            definition=json.dumps({"StartAt": "Train", "States": {"Train": train}}),
            roleArn=f"arn:aws:iam::{ACCOUNT}:role/training",
        )["stateMachineArn"]
    )


def _keep_secret(endpoint_url: str, value: str) -> str:
    secrets = _client("secretsmanager", endpoint_url)
    return str(secrets.create_secret(Name="slack-webhook", SecretString=value)["ARN"])


def _queue_arn(sqs: Any, url: str) -> str:
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    return str(attributes["QueueArn"])


def _credentials() -> dict[str, str]:
    # moto accepts anything; these say so to whoever finds them.
    return {
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_SESSION_TOKEN": "local",
        "AWS_DEFAULT_REGION": REGION,
    }


def _client(service: str, endpoint_url: str) -> Any:
    session = boto3.Session(
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106
        region_name=REGION,
    )
    return session.client(service, endpoint_url=endpoint_url)  # type: ignore[call-overload]
