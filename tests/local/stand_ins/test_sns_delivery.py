"""Delivery from the alert topic: an email per message, and slack_notifier invoked as by SNS."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from local.stand_ins.event_source import EventSource
from local.stand_ins.lambda_runtime import FunctionError
from local.stand_ins.moto_server import ALERT_ATTEMPTS, LocalAws, count_messages
from local.stand_ins.sns_delivery import SnsDelivery
from tests.local.stand_ins.test_gateway import paths

EVENTS = Path(__file__).parents[3] / "events"


class SlackNotifier:
    """Records its events, and fails a number of times first."""

    name, cold_start_ms = "slack_notifier", None

    def __init__(self, failures: int = 0) -> None:
        self.events: list[Any] = []
        self.failures = failures

    def invoke(self, event: Mapping[str, Any]) -> Any:
        self.events.append(event)
        if len(self.events) <= self.failures:
            raise FunctionError("Slack answered 500")
        return {"posted": 1}

    def peak_memory_mb(self) -> None: ...
    def retire(self) -> None: ...
    def close(self) -> None: ...


def publish(
    aws: LocalAws, subject: str = "Data drift: 2 of 4 features drifted", message: str = "Read on."
) -> None:
    attributes = {
        "kind": "data_drift",
        "severity": "warning",
        "status": "open",
        "model_version": "20261120-1a2b3c4d",
    }
    aws.client("sns").publish(
        TopicArn=aws.topic_arn,
        Subject=subject,
        Message=message,
        MessageAttributes={
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        },
    )


def source(aws: LocalAws, delivery: SnsDelivery) -> EventSource:
    return EventSource(aws.client("sqs"), aws.alert_queue_url, delivery, batch_size=1, window_seconds=0)


def test_a_message_becomes_a_plain_text_email(aws: LocalAws, tmp_path: Path) -> None:
    publish(aws, message="Two things moved:\n- words\n- tokens")
    source(aws, SnsDelivery(tmp_path / "mail", None)).deliver_batch()
    (mail,) = (tmp_path / "mail").iterdir()
    assert mail.name.endswith("-Data-drift-2-of-4-features-drifted.txt")
    head, _, body = mail.read_text().partition("\n\n")
    assert "Subject: Data drift: 2 of 4 features drifted" in head.splitlines()
    assert body == "Two things moved:\n- words\n- tokens\n"
    assert count_messages(aws.client("sqs"), aws.alert_queue_url) == 0


def test_the_notifier_is_invoked_with_the_event_of_sns(aws: LocalAws, tmp_path: Path) -> None:
    notifier = SlackNotifier()
    publish(aws)
    source(aws, SnsDelivery(tmp_path, notifier)).deliver_batch()
    (event,) = notifier.events
    sample = json.loads((EVENTS / "sns_data_drift.json").read_text())
    ours = event["Records"][0]["Sns"]
    assert paths(event["Records"][0]) == paths(sample["Records"][0])
    assert ours["MessageAttributes"]["severity"] == {"Type": "String", "Value": "warning"}
    assert (ours["Subject"], ours["Message"]) == ("Data drift: 2 of 4 features drifted", "Read on.")


def test_a_failed_message_is_delivered_again_with_a_single_email(aws: LocalAws, tmp_path: Path) -> None:
    notifier = SlackNotifier(failures=1)
    publish(aws)
    for _ in range(2):
        deliveries = source(aws, SnsDelivery(tmp_path, notifier))
        assert deliveries.deliver_batch() == 1
        deliveries.stop()  # makes a failed message visible at once
    assert len(notifier.events) == 2
    assert len(list(tmp_path.iterdir())) == 1
    assert count_messages(aws.client("sqs"), aws.alert_queue_url) == 0


def test_a_message_that_slack_never_accepts_becomes_a_dead_letter(aws: LocalAws, tmp_path: Path) -> None:
    notifier, sqs = SlackNotifier(failures=99), aws.client("sqs")
    publish(aws)
    dead_letters = sqs.get_queue_url(QueueName="alerts-dead-letters")["QueueUrl"]
    while (deliveries := source(aws, SnsDelivery(tmp_path, notifier))).deliver_batch():
        assert count_messages(sqs, dead_letters) == 0
        deliveries.stop()  # makes the message visible at once
    assert count_messages(sqs, dead_letters) == 1
    assert len(notifier.events) == ALERT_ATTEMPTS


@pytest.mark.parametrize("subject", ["Umlauts / and ..\\ slashes", "x" * 99])
def test_no_subject_is_a_path_outside_the_folder(aws: LocalAws, tmp_path: Path, subject: str) -> None:
    publish(aws, subject=subject)
    source(aws, SnsDelivery(tmp_path / "mail", None)).deliver_batch()
    (mail,) = (tmp_path / "mail").iterdir()
    assert mail.parent == tmp_path / "mail"
    assert subject in mail.read_text()
