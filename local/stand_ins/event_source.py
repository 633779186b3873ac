"""What Lambda's event source mapping does between an SQS queue and a function, on the laptop.

Receives batches, calls the function, deletes what it handled, and leaves the rest to the queue's visibility
timeout, after which it is received again; the queue's own redrive policy moves what was received too often
to the dead-letter queue. One batch at a time: the cloud's concurrency cap, at its lowest.
"""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from local.processes import wait_until
from local.stand_ins.aws import BATCH_ENTRIES, count_messages
from local.stand_ins.lambda_runtime import FunctionError

logger = logging.getLogger(__name__)

POLL_SECONDS = 1  # of one long poll, so also how long a stop may take
RETRY_SECONDS = 0.5  # after SQS itself could not be reached


class Consumer(Protocol):
    """What stands at the end of a queue: a function, or what takes the place of one."""

    name: str

    def invoke(self, event: Mapping[str, Any]) -> Any:
        """Handle a batch and return its failures, or raise FunctionError."""


class EventSource:
    """One queue feeding one function from a thread of its own."""

    def __init__(
        self,
        sqs: Any,
        queue_url: str,
        function: Consumer,
        *,
        batch_size: int = 100,
        window_seconds: float = 0.2,
    ) -> None:
        self._sqs, self._queue_url, self._function = sqs, queue_url, function
        self._batch_size, self._window_seconds = batch_size, window_seconds
        self._queue_arn = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])[
            "Attributes"
        ]["QueueArn"]
        self._returned: dict[str, str] = {}  # messages not handled yet: id to the latest receipt handle
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"{function.name}-events", daemon=True)

    def start(self) -> None:
        """Begin to poll."""
        self._thread.start()

    def drain(self, seconds: float) -> int:
        """Wait until the queue is empty or the time is up; return how many messages are left."""

        def is_empty() -> bool:
            return count_messages(self._sqs, self._queue_url) == 0

        wait_until(is_empty, seconds=seconds, pause_seconds=0.1)
        return count_messages(self._sqs, self._queue_url)

    def stop(self) -> None:
        """Finish the batch at hand and stop; what is left stays in the queue, visible at once."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        for receipt in self._returned.values():
            with suppress(BotoCoreError, ClientError):  # it may be in the dead-letter queue by now
                self._sqs.change_message_visibility(
                    QueueUrl=self._queue_url, ReceiptHandle=receipt, VisibilityTimeout=0
                )

    def deliver_batch(self) -> int:
        """Receive one batch, hand it to the function, delete what it handled; return how many it received."""
        messages = self._receive()
        if messages:
            failed = self._call(messages)
            handled = [message for message in messages if message["MessageId"] not in failed]
            for message in messages:
                self._returned.pop(message["MessageId"], None)
                if message["MessageId"] in failed:
                    self._returned[message["MessageId"]] = message["ReceiptHandle"]
            for start in range(0, len(handled), BATCH_ENTRIES):
                self._delete(handled[start : start + BATCH_ENTRIES])
        return len(messages)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.deliver_batch()
            except (BotoCoreError, ClientError) as error:
                logger.warning("the queue cannot be reached: %s", error)
                self._stopping.wait(RETRY_SECONDS)

    def _receive(self) -> list[dict[str, Any]]:
        """Gather messages until the batch is full or its window, which opens with the first, has closed."""
        messages: list[dict[str, Any]] = []
        deadline = float("inf")
        while len(messages) < self._batch_size and time.monotonic() < deadline:
            received = self._sqs.receive_message(
                QueueUrl=self._queue_url,
                MaxNumberOfMessages=min(BATCH_ENTRIES, self._batch_size - len(messages)),
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
                WaitTimeSeconds=0 if messages else POLL_SECONDS,
            ).get("Messages", [])
            if not messages:
                if not received:
                    break
                deadline = time.monotonic() + self._window_seconds
            elif not received:
                self._stopping.wait(0.02)
            messages += received
        return messages

    def _call(self, messages: Sequence[dict[str, Any]]) -> set[str]:
        """Return the ids of the messages that the function did not handle."""
        everything = {message["MessageId"] for message in messages}
        try:
            answer = self._function.invoke({"Records": [self._record(message) for message in messages]})
        except FunctionError as error:
            logger.warning("%d messages return to the queue: %s", len(messages), error)
            return everything
        failures = (answer or {}).get("batchItemFailures") or []
        failed = {failure.get("itemIdentifier") for failure in failures}
        # An id that is empty or not of this batch fails the batch as a whole (Lambda developer guide,
        # "Implementing partial batch responses").
        return failed if failed <= everything else everything

    def _record(self, message: dict[str, Any]) -> dict[str, Any]:
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message.get("Attributes", {}),
            "messageAttributes": {
                name: {
                    "stringValue": value.get("StringValue"),
                    "stringListValues": [],
                    "binaryListValues": [],
                    "dataType": value["DataType"],
                }
                for name, value in message.get("MessageAttributes", {}).items()
            },
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self._queue_arn,
            "awsRegion": self._queue_arn.split(":")[3],
        }

    def _delete(self, messages: Sequence[dict[str, Any]]) -> None:
        entries = [
            {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
            for number, message in enumerate(messages)
        ]
        refused = self._sqs.delete_message_batch(QueueUrl=self._queue_url, Entries=entries).get("Failed", [])
        if refused:  # they come again, and storing twice changes nothing
            logger.warning("%d handled messages could not be deleted and will return", len(refused))
