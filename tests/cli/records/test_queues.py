"""`sentiment replay` and `redrive` on moto: a record is deleted only after the queue has accepted it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from moto import mock_aws
from sentiment.exceptions import ConfigurationError, QueueError


@dataclass
class Cloud:
    sqs: Any
    s3: Any
    queue: str
    dead: str

    def bodies(self, url: str) -> list[str]:
        found: list[str] = []
        while messages := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            found += [message["Body"] for message in messages]
        return sorted(found)

    def unsent(self) -> list[str]:
        return [item["Key"] for item in self.s3.list_objects_v2(Bucket="unsent-records").get("Contents", [])]


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    for name, value in [("ACCESS_KEY_ID", "x"), ("SECRET_ACCESS_KEY", "x"), ("DEFAULT_REGION", "us-east-1")]:
        monkeypatch.setenv(f"AWS_{name}", value)
    with mock_aws():
        sqs, s3 = boto3.client("sqs"), boto3.client("s3")
        queue, dead = (sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("queue", "dead"))
        s3.create_bucket(Bucket="unsent-records")
        monkeypatch.setenv("QUEUE_URL", queue)
        monkeypatch.setenv("DEAD_LETTER_QUEUE_URL", dead)
        monkeypatch.setenv("UNSENT_BUCKET", "unsent-records")
        yield Cloud(sqs, s3, queue, dead)


def test_replay_sends_every_record_before_it_deletes_it(cloud: Cloud, run: Any) -> None:
    records = [f'{{"é": {number}}}' for number in range(23)]
    for number, record in enumerate(records):
        cloud.s3.put_object(
            Bucket="unsent-records", Key=f"unsent/2026/11/23/{number}.json", Body=record.encode()
        )
    cloud.s3.put_object(Bucket="unsent-records", Key="else/where.json", Body=b"not a record")

    assert "23 records unsent" in run("replay", "--dry-run").output
    assert len(cloud.unsent()) == 24
    assert "23 records sent" in run("replay").output
    assert cloud.bodies(cloud.queue) == sorted(records)
    assert cloud.unsent() == ["else/where.json"]
    assert "0 records sent" in run("replay").output


def test_replay_keeps_a_record_that_the_queue_rejects(
    cloud: Cloud, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.s3.put_object(Bucket="unsent-records", Key="unsent/2026/11/23/1.json", Body=b"{}")
    monkeypatch.setenv("QUEUE_URL", f"{cloud.queue}-gone")
    result = run("replay")
    assert isinstance(result.exception, QueueError)
    assert "check QUEUE_URL" in str(result.exception)
    assert cloud.unsent() == ["unsent/2026/11/23/1.json"]


def test_large_records_are_sent_in_batches_within_the_limit_of_sqs(cloud: Cloud, run: Any) -> None:
    for number in range(6):
        cloud.s3.put_object(
            Bucket="unsent-records", Key=f"unsent/{number}.json", Body=bytes([65 + number]) * 90_000
        )
    assert "6 records sent" in run("replay").output
    assert len(cloud.bodies(cloud.queue)) == 6


def test_redrive_moves_each_dead_letter_once(cloud: Cloud, run: Any) -> None:
    for number in range(12):
        cloud.sqs.send_message(QueueUrl=cloud.dead, MessageBody=f"dead-{number:02}")
    assert "12 messages moved" in run("redrive").output
    assert cloud.bodies(cloud.queue) == [f"dead-{number:02}" for number in range(12)]
    assert cloud.bodies(cloud.dead) == []
    assert "0 messages moved" in run("redrive").output


def test_a_missing_variable_is_named(run: Any) -> None:
    result = run("redrive")
    assert isinstance(result.exception, ConfigurationError)
    assert "QUEUE_URL is not set" in str(result.exception)
