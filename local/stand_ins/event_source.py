"""Lambda's event source mapping between an SQS queue and a function, on the laptop.

Receives batches, calls the function, and deletes the messages that it handled. The others become visible
again after the queue's visibility time-out, and its redrive policy moves messages that were received too
often to the dead-letter queue. One batch at a time, like a concurrency of 1 in AWS.
"""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from local.logs import error_fields
from local.processes import wait_until
from local.stand_ins.lambda_runtime import FunctionError
from local.stand_ins.moto_server import BATCH_ENTRIES, count_messages

logger = logging.getLogger(__name__)

POLL_SECONDS = 1  # duration of a long poll, and the longest that a stop takes
RETRY_SECONDS = 0.5  # when SQS cannot be reached


class Consumer(Protocol):
    """The target of a queue: a function, or an object with its interface."""

    name: str

    def invoke(self, event: Mapping[str, Any]) -> Any:
        """Handle a batch and return its failures; raises FunctionError."""


class EventSource:
    """Delivers the messages of one queue to one function, in a thread."""

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
        self._returned: dict[str, str] = {}  # unhandled messages: id to latest receipt handle
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"{function.name}-events", daemon=True)

    def start(self) -> None:
        """Start polling."""
        self._thread.start()

    def drain(self, seconds: float) -> int:
        """Wait until the queue is empty or the time is up; return how many messages are left."""

        def is_empty() -> bool:
            return count_messages(self._sqs, self._queue_url) == 0

        wait_until(is_empty, seconds=seconds, pause_seconds=0.1)
        return count_messages(self._sqs, self._queue_url)

    def stop(self) -> None:
        """Finish the current batch and stop; unhandled messages become visible in the queue at once."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        for receipt in self._returned.values():
            with suppress(BotoCoreError, ClientError):  # it may be in the dead-letter queue by now
                self._sqs.change_message_visibility(
                    QueueUrl=self._queue_url, ReceiptHandle=receipt, VisibilityTimeout=0
                )

    def deliver_batch(self) -> int:
        """Deliver one batch and delete the handled messages; return the number of received ones."""
        messages = self._receive()
        if messages:
            failed = self._invoke(messages)
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
                logger.warning("queue not reached", extra=error_fields(error))
                self._stopping.wait(RETRY_SECONDS)

    def _receive(self) -> list[dict[str, Any]]:
        """Receive messages until the batch is full, or until its window, which the first one opens, ends."""
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

    def _invoke(self, messages: Sequence[dict[str, Any]]) -> set[str]:
        """Invoke the function; return the ids of the messages that it did not handle."""
        all_ids = {message["MessageId"] for message in messages}
        try:
            response = self._function.invoke({"Records": [self._record(message) for message in messages]})
        except FunctionError as error:
            logger.warning("batch not handled", extra={"messages": len(messages), **error_fields(error)})
            return all_ids
        failures = (response or {}).get("batchItemFailures") or []
        failed = {failure.get("itemIdentifier") for failure in failures}
        # An id that is empty or not in this batch fails the whole batch (Lambda developer guide,
        # "Implementing partial batch responses").
        return failed if failed <= all_ids else all_ids

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
        kept = self._sqs.delete_message_batch(QueueUrl=self._queue_url, Entries=entries).get("Failed", [])
        if kept:  # they are delivered again, and the functions are idempotent
            logger.warning(
                "handled messages not deleted",
                extra={"messages": len(kept), "error": kept[0]["Code"], "reason": kept[0].get("Message", "")},
            )
