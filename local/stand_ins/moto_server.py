"""The AWS services on the laptop: a moto server with the resources that the stacks create.

It is a separate process, because moto's threaded server would share the interpreter lock with the gateway and
the event source and increase measured latencies. Its state is in memory; the system saves the messages that
are not stored yet. moto's queues scan all messages on every call: they are fast enough for some thousand
messages, but not for a load test.
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
BATCH_ENTRIES = 10  # SQS's limit for a batch
# In AWS 185 seconds: a laptop stores soon after Postgres is back, and dead-letters after 50 s without.
VISIBILITY_SECONDS = 10
ALERT_ATTEMPTS = 3  # as often as Lambda tries an asynchronous event
ACCOUNT = "123456789012"  # moto's
UNSENT_BUCKET, REPORT_BUCKET = "predictions-unsent", "monitoring-reports"


@dataclass(frozen=True)
class LocalAws:
    """The endpoint of the moto server, and its resources."""

    endpoint_url: str
    queue_url: str
    dead_letter_url: str
    bucket: str
    report_bucket: str
    topic_arn: str
    alert_queue_url: str  # subscribed to the topic, as moto's SNS does not invoke functions
    state_machine_arn: str | None
    training_queue_url: str  # the state machine's tasks, for local/retraining.py
    webhook_secret_arn: str | None

    def environment(self) -> dict[str, str]:
        """Return the variables for boto3 and for the functions' settings."""
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
        """Return a boto3 client for this server, independent of the environment."""
        return _client(service, self.endpoint_url)

    def save_messages(self, path: Path) -> int:
        """Move the visible messages of all queues to a file; return how many."""
        sqs, saved = self.client("sqs"), 0
        for name, url in self._queues().items():
            while messages := sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=BATCH_ENTRIES, WaitTimeSeconds=0
            ).get("Messages"):
                with path.open("a") as file:
                    for message in messages:
                        file.write(json.dumps({"to": name, "body": message["Body"]}) + "\n")
                saved += len(messages)
        return saved

    def restore_messages(self, path: Path) -> int:
        """Send the messages of such a file to their queues; return how many."""
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
    slack_webhook_url: str | None = None,
    with_state_machine: bool = False,
) -> Iterator[LocalAws]:
    """Run moto with all resources while the block runs.

    `port=None` uses a free one. As in AWS, a message that was received MAX_RECEIVES times is moved to the
    dead-letter queue. Raises ConfigurationError when the port is taken or moto does not start.
    """
    port = claim_port(port, user="the AWS stand-in", variable="AWS_PORT")
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
            slack_webhook_url=slack_webhook_url,
            with_state_machine=with_state_machine,
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
    *,
    slack_webhook_url: str | None = None,
    with_state_machine: bool = False,
) -> LocalAws:
    """Create all resources in an empty moto server.

    The state machine, which takes a second, is optional; the secret needs a webhook.
    """
    sqs, s3, sns = (_client(service, endpoint_url) for service in ("sqs", "s3", "sns"))
    dead_letter_url = sqs.create_queue(QueueName="predictions-dead-letters")["QueueUrl"]
    redrive = {"deadLetterTargetArn": _queue_arn(sqs, dead_letter_url), "maxReceiveCount": MAX_RECEIVES}
    queue_url = sqs.create_queue(
        QueueName="predictions",
        Attributes={"VisibilityTimeout": str(VISIBILITY_SECONDS), "RedrivePolicy": json.dumps(redrive)},
    )["QueueUrl"]
    for bucket in (UNSENT_BUCKET, REPORT_BUCKET):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    topic_arn = sns.create_topic(Name="alerts")["TopicArn"]
    undelivered_url = sqs.create_queue(QueueName="alerts-dead-letters")["QueueUrl"]
    redrive = {"deadLetterTargetArn": _queue_arn(sqs, undelivered_url), "maxReceiveCount": ALERT_ATTEMPTS}
    alert_queue_url = sqs.create_queue(
        QueueName="alerts",
        Attributes={"VisibilityTimeout": str(VISIBILITY_SECONDS), "RedrivePolicy": json.dumps(redrive)},
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
        state_machine_arn=_create_state_machine(endpoint_url, training_queue_url)
        if with_state_machine
        else None,
        training_queue_url=training_queue_url,
        webhook_secret_arn=slack_webhook_url and _create_secret(endpoint_url, slack_webhook_url),
    )


def _create_state_machine(endpoint_url: str, queue_url: str) -> str:
    """Create the training's state machine: it sends each execution to a queue and waits for the result."""
    execute = json.dumps({"stepfunctions": {"execute_state_machine": True}}).encode()
    with urllib.request.urlopen(f"{endpoint_url}/moto-api/config", data=execute):  # noqa: S310 - the local server
        pass
    message = {"token.$": "$$.Task.Token", "name.$": "$$.Execution.Name", "input.$": "$"}
    train = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": queue_url, "MessageBody": message},
        "End": True,
    }
    return str(
        _client("stepfunctions", endpoint_url).create_state_machine(
            name="training",
            definition=json.dumps({"StartAt": "Train", "States": {"Train": train}}),
            roleArn=f"arn:aws:iam::{ACCOUNT}:role/training",
        )["stateMachineArn"]
    )


def _create_secret(endpoint_url: str, value: str) -> str:
    secrets = _client("secretsmanager", endpoint_url)
    return str(secrets.create_secret(Name="slack-webhook", SecretString=value)["ARN"])


def _queue_arn(sqs: Any, url: str) -> str:
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    return str(attributes["QueueArn"])


def _credentials() -> dict[str, str]:
    # moto accepts any credentials.
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
