import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from cdk.function_config import MAX_RECEIVES
from local.stand_ins.event_source import EventSource
from local.stand_ins.lambda_runtime import FunctionError
from local.stand_ins.moto_server import LocalAws, count_messages, make_resources

EVENTS = Path(__file__).parents[3] / "events"


class Recorder:
    """A function that records its batches."""

    name = "recorder"
    cold_start_ms = None

    def __init__(self, respond: Callable[[list[dict[str, Any]]], Any] = lambda records: None) -> None:
        self.batches: list[list[dict[str, Any]]] = []
        self._respond = respond

    def invoke(self, event: Mapping[str, Any]) -> Any:
        self.batches.append(event["Records"])
        return self._respond(event["Records"])

    def peak_memory_mb(self) -> float | None:
        return None

    def close(self) -> None: ...


@pytest.fixture
def queue(aws: LocalAws) -> Any:
    return aws.client("sqs")


def send(sqs: Any, aws: LocalAws, *bodies: str) -> None:
    for body in bodies:
        sqs.send_message(
            QueueUrl=aws.queue_url,
            MessageBody=body,
            MessageAttributes={"kind": {"DataType": "String", "StringValue": "test"}},
        )


def bodies(sqs: Any, url: str) -> list[str]:
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get(
        "Messages", []
    )
    return sorted(message["Body"] for message in messages)


def test_valid_messages_are_handled_once_and_a_poison_message_becomes_a_dead_letter(
    aws: LocalAws, queue: Any, start: Any, tmp_path: Path
) -> None:
    good = [f"good-{number}" for number in range(30)]
    send(queue, aws, *good[:15], "poison", *good[15:])
    function = start("reject_poison", HANDLED=str(tmp_path))
    for receives in range(1, MAX_RECEIVES + 1):
        assert count_messages(queue, aws.dead_letter_url) == 0
        source = EventSource(queue, aws.queue_url, function)
        while source.deliver_batch():
            pass
        source.stop()  # makes the poison message visible at once
        assert count_messages(queue, aws.queue_url) == 1, f"after {receives} receives"
    assert EventSource(queue, aws.queue_url, function).deliver_batch() == 0
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == dict.fromkeys(good, "handled\n")
    assert bodies(queue, aws.dead_letter_url) == ["poison"]


def test_a_message_is_received_as_often_as_in_aws(aws: LocalAws, queue: Any) -> None:
    attributes = queue.get_queue_attributes(QueueUrl=aws.queue_url, AttributeNames=["RedrivePolicy"])
    assert json.loads(attributes["Attributes"]["RedrivePolicy"])["maxReceiveCount"] == MAX_RECEIVES


def test_a_batch_is_filled_within_the_window(aws: LocalAws, queue: Any) -> None:
    send(queue, aws, *map(str, range(25)))
    function = Recorder()
    source = EventSource(queue, aws.queue_url, function, batch_size=20)
    assert [source.deliver_batch(), source.deliver_batch(), source.deliver_batch()] == [20, 5, 0]
    assert [len(batch) for batch in function.batches] == [20, 5]
    assert count_messages(queue, aws.queue_url) == 0


@pytest.mark.parametrize("sample", sorted(EVENTS.glob("sqs_*.json")), ids=lambda path: path.stem)
def test_a_record_has_the_shape_of_lambdas_sqs_event(aws: LocalAws, queue: Any, sample: Path) -> None:
    (expected, *_) = json.loads(sample.read_text())["Records"]
    send(queue, aws, expected["body"])
    function = Recorder()
    EventSource(queue, aws.queue_url, function).deliver_batch()
    ((record,),) = function.batches
    assert record.keys() == expected.keys()
    assert record["attributes"].keys() >= expected["attributes"].keys()
    assert record["body"] == expected["body"]
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"].endswith(":predictions")
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["messageAttributes"]["kind"]["stringValue"] == "test"


def fail(records: list[dict[str, Any]]) -> Any:
    raise FunctionError("recorder: ValueError: no")


def test_a_failed_batch_is_received_again(aws: LocalAws, queue: Any) -> None:
    send(queue, aws, "a", "b")
    first = EventSource(queue, aws.queue_url, Recorder(fail))
    first.deliver_batch()
    first.stop()  # makes the messages visible at once
    second_time = Recorder()
    assert EventSource(queue, aws.queue_url, second_time).deliver_batch() == 2
    assert [record["attributes"]["ApproximateReceiveCount"] for record in second_time.batches[0]] == [
        "2",
        "2",
    ]


@pytest.mark.parametrize("failure", [{"itemIdentifier": ""}, {"itemIdentifier": "unknown"}, {"wrong": "key"}])
def test_an_invalid_message_id_in_the_response_fails_the_batch(
    aws: LocalAws, queue: Any, failure: dict[str, str]
) -> None:
    send(queue, aws, "a", "b")
    EventSource(queue, aws.queue_url, Recorder(lambda _: {"batchItemFailures": [failure]})).deliver_batch()
    assert count_messages(queue, aws.queue_url) == 2


def test_stopping_finishes_the_batch_and_makes_the_rest_visible(aws: LocalAws, queue: Any) -> None:
    queue.set_queue_attributes(QueueUrl=aws.queue_url, Attributes={"VisibilityTimeout": "30"})
    called, release = threading.Event(), threading.Event()

    def wait_then_fail(records: list[dict[str, Any]]) -> Any:
        called.set()
        assert release.wait(10)
        return {"batchItemFailures": [{"itemIdentifier": records[0]["messageId"]}]}

    send(queue, aws, "a", "b")
    source = EventSource(queue, aws.queue_url, Recorder(wait_then_fail))
    source.start()
    assert called.wait(10)
    release.set()
    source.stop()
    assert len(bodies(queue, aws.queue_url)) == 1


def test_messages_can_be_saved_and_restored(aws: LocalAws, queue: Any, tmp_path: Path) -> None:
    send(queue, aws, *(f"{number}" for number in range(12)))
    queue.send_message(QueueUrl=aws.dead_letter_url, MessageBody="dead")
    saved = tmp_path / "saved.jsonl"
    assert aws.save_messages(saved) == 13
    httpx.post(f"{aws.endpoint_url}/moto-api/reset").raise_for_status()
    restarted = make_resources(aws.endpoint_url)
    assert restarted.restore_messages(saved) == 13
    assert count_messages(queue, aws.queue_url) == 12
    assert bodies(queue, aws.dead_letter_url) == ["dead"]
    assert aws.restore_messages(saved) == 0
