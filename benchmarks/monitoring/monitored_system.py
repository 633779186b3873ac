"""The drift monitor with Postgres, SNS, S3 and an inbox, for `benchmarks.monitoring.drift`."""

import json
import logging
import os
import random
import secrets
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext
from moto.server import ThreadedMotoServer
from sentiment.database.predictions import store_predictions
from sentiment.database.session import transaction
from sentiment.messages import PredictionMade
from sqlalchemy import Engine

from functions.drift_monitor.handler import engine
from functions.migrations import handler as migrations
from local.postgres.server import running_postgres

BATCH = 1000
TOPIC, BUCKET, INBOX = "alerts", "benchmark-reports", "inbox"


@dataclass(frozen=True)
class MonitoredSystem:
    """The database of predictions, and the messages that subscribers received."""

    engine: Engine
    labels: Sequence[str]
    model_version: str

    def store(self, rows: Sequence[Mapping[str, Any]], *, since: datetime, until: datetime) -> None:
        """Store rows as predictions, evenly spread over that time in random order."""
        step = (until - since) / (len(rows) + 1)
        made = [
            self._logged(row, since + step * number)
            for number, row in enumerate(random.sample(rows, len(rows)), start=1)
        ]
        for start in range(0, len(made), BATCH):
            with transaction(self.engine) as session:
                store_predictions(session, made[start : start + BATCH])

    def received(self) -> list[dict[str, str]]:
        """Return subject and attributes of the messages published since the last call."""
        sqs = boto3.client("sqs")
        inbox, found = sqs.get_queue_url(QueueName=INBOX)["QueueUrl"], []
        while got := sqs.receive_message(QueueUrl=inbox, MaxNumberOfMessages=10).get("Messages"):
            for message in got:
                body = json.loads(message["Body"])
                attributes = {name: value["Value"] for name, value in body["MessageAttributes"].items()}
                found.append({"subject": body["Subject"], **attributes})
                sqs.delete_message(QueueUrl=inbox, ReceiptHandle=message["ReceiptHandle"])
        return found

    def _logged(self, row: Mapping[str, Any], at: datetime) -> PredictionMade:
        values = {name: value for name, value in row.items() if name != "probabilities"}
        return PredictionMade(
            **values,
            prediction_id=_uuid7(at),
            input_hash=secrets.token_hex(32),
            probabilities=dict(zip(self.labels, row["probabilities"], strict=True)),
            inference_time_ms=10.0,
            model_version=self.model_version,
            correlation_id="benchmark",
            predicted_at=at,
        )


@contextmanager
def monitored_system(model_dir: Path, labels: Sequence[str], model_version: str) -> Iterator[MonitoredSystem]:
    """Start the servers and set this process's environment to them."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # one line per request
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        os.environ |= {
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_SECRET_ACCESS_KEY": secrets.token_hex(8),
            "MODEL_DIR": str(model_dir.resolve()),
            "POWERTOOLS_LOG_LEVEL": "ERROR",
            "REPORT_BUCKET": BUCKET,
        }
        os.environ["ALERT_TOPIC_ARN"] = _make_topic_and_bucket()
        with (
            tempfile.TemporaryDirectory(prefix="drift-") as folder,
            running_postgres(Path(folder), password=os.urandom(16).hex()) as postgres,
        ):
            os.environ |= postgres.environment()
            migrations.handler({"action": "upgrade"}, LambdaContext())
            migrations.engine().dispose()
            yield MonitoredSystem(engine(), labels, model_version)
            engine().dispose()
    finally:
        server.stop()


def _make_topic_and_bucket() -> str:
    sns, sqs = boto3.client("sns"), boto3.client("sqs")
    location: Any = {"LocationConstraint": "eu-central-1"}
    boto3.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=location)
    topic = sns.create_topic(Name=TOPIC)["TopicArn"]
    inbox = sqs.create_queue(QueueName=INBOX)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=inbox, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return topic


def _uuid7(at: datetime) -> UUID:
    """Make a prediction id of that time (RFC 9562, section 5.7)."""
    time_ms = int(at.timestamp() * 1000)
    random_bits = secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    return UUID(int=time_ms << 80 | 0x7 << 76 | random_bits)


def hours_before(now: datetime, hours: int) -> datetime:
    """Return the full hour `hours` hours before the current one."""
    return now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=hours)
