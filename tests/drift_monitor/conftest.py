import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import pandas as pd
import pytest
from moto import mock_aws
from sentiment.logging import logger
from sentiment.notifications import sns
from sqlalchemy import Engine

from functions.drift_monitor import report_storage, retraining
from functions.drift_monitor.detection import thresholds
from functions.drift_monitor.detection.reference import read_reference
from functions.drift_monitor.settings import SERVICE
from tests.drift_monitor.sample_data import Row, make_artifact, read_reviews
from tests.fixtures.postgres import database, empty_database, migrated_template, postgres

__all__ = ["database", "empty_database", "migrated_template", "postgres"]

REFERENCE_ROWS = 1500


@pytest.fixture(scope="session")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """A few thousand reviews from IMDB."""
    return read_reviews("imdb", 6000, tmp_path_factory.mktemp("imdb"))


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory, reviews: list[Row]) -> Path:
    """The folder of an artifact whose reference is the first reviews."""
    return make_artifact(tmp_path_factory.mktemp("artifact"), reviews[:REFERENCE_ROWS])


@pytest.fixture(scope="session")
def reference(artifact: Path) -> pd.DataFrame:
    return read_reference(artifact).table


@pytest.fixture
def traffic(reviews: list[Row]) -> list[Row]:
    """Reviews that are not in the reference."""
    return reviews[REFERENCE_ROWS:]


@pytest.fixture(scope="session", autouse=True)
def early_logger() -> None:
    """Make the cached logger before a test captures output, whose stream is closed after that test."""
    logger(SERVICE)


class Aws:
    """The topic, bucket and state machine of a test, and what they received."""

    def __init__(self) -> None:
        self.sns, self.sqs, self.s3 = boto3.client("sns"), boto3.client("sqs"), boto3.client("s3")
        self.step_functions = boto3.client("stepfunctions")
        self.topic = self.sns.create_topic(Name="alerts")["TopicArn"]
        self.inbox = self.sqs.create_queue(QueueName="inbox")["QueueUrl"]
        self.subscribe(self.topic)
        self.bucket = "reports-of-the-test"
        location = {"LocationConstraint": "eu-central-1"}
        self.s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration=location)
        definition = '{"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}'
        self.state_machine = self.step_functions.create_state_machine(
            name="training", definition=definition, roleArn="arn:aws:iam::123456789012:role/training"
        )["stateMachineArn"]

    def subscribe(self, topic: str) -> None:
        found = self.sqs.get_queue_attributes(QueueUrl=self.inbox, AttributeNames=["QueueArn"])
        self.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=found["Attributes"]["QueueArn"])

    def received(self) -> list[dict[str, object]]:
        """Take the messages that subscribers received since the last call, in order."""
        messages = []
        while got := self.sqs.receive_message(QueueUrl=self.inbox, MaxNumberOfMessages=10).get("Messages"):
            for message in got:
                body = json.loads(message["Body"])
                attributes = {name: value["Value"] for name, value in body["MessageAttributes"].items()}
                messages.append({"subject": body["Subject"], "body": body["Message"], **attributes})
                self.sqs.delete_message(QueueUrl=self.inbox, ReceiptHandle=message["ReceiptHandle"])
        return messages

    def executions(self) -> list[str]:
        listed = self.step_functions.list_executions(stateMachineArn=self.state_machine)["executions"]
        return [execution["name"] for execution in listed]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    clients = (sns, report_storage.s3, retraining.step_functions)
    with mock_aws():
        for client in clients:
            client.cache_clear()
        yield Aws()
    for client in clients:
        client.cache_clear()


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send and resolve alerts after a single run."""
    monkeypatch.setenv("PERSIST_RUNS", "1")
    monkeypatch.setenv("PERSIST_WINDOW", "1")


@pytest.fixture
def monitored(database: Engine, aws: Aws, artifact: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """A database, topic, bucket and artifact, set in the handler's environment."""
    monkeypatch.setenv("MODEL_DIR", str(artifact))
    monkeypatch.setenv("ALERT_TOPIC_ARN", aws.topic)
    monkeypatch.setenv("REPORT_BUCKET", aws.bucket)
    # Enough for windows whose thresholds are the floors; test_verdicts tests the calibration.
    monkeypatch.setattr(thresholds, "BOOTSTRAP_ROUNDS", 100)
    return database
