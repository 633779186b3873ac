"""Stores records durably before a request is answered: in the queue, or in S3 if the queue rejects them.

The log writer reads the queue, and `sentiment replay` sends what is under `unsent/` to the queue, so an
object in S3 is the exact body of a message. Clients fail fast (seconds, few retries), because API Gateway
times out after 30 seconds; a service that does not respond is not called again for the same request.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, cast

import uuid_utils.compat as uuid
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session
from sentiment.logging import logger
from sentiment.messages import FeedbackGiven, PredictionMade

from functions.api.settings import SERVICE

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

AWS_ERRORS = (BotoCoreError, ClientError)
ENTRIES_PER_CALL = 10  # the limit of SendMessageBatch
BYTES_PER_CALL = 250_000  # below the 262,144 bytes that SendMessageBatch takes in all regions

CLIENT = Config(
    connect_timeout=1,
    read_timeout=2,
    retries={"mode": "standard", "total_max_attempts": 2},
    tcp_keepalive=True,
    parameter_validation=False,
)


class Delivery(NamedTuple):
    """What happened to messages that the queue rejected, by position in the request."""

    unsent: list[int]  # stored in S3, to be replayed
    lost: list[int]  # not stored: no prediction may be returned


class Record(NamedTuple):
    """The body of one message, and its key in S3 if the queue rejects it."""

    body: str
    key: str


class Outbox:
    """The queue and its fallback; connections are opened on first use and kept for the instance's life."""

    def __init__(self, *, queue_url: str, unsent_bucket: str) -> None:
        self.queue_url = queue_url
        self.unsent_bucket = unsent_bucket
        self._session = Session()

    @cached_property
    def _sqs(self) -> "SQSClient":
        return cast("SQSClient", self._session.create_client("sqs", config=CLIENT))

    @cached_property
    def _s3(self) -> "S3Client":
        return cast("S3Client", self._session.create_client("s3", config=CLIENT))

    def store(self, messages: Sequence[PredictionMade | FeedbackGiven]) -> Delivery:
        """Store messages in the queue or else in S3; errors of AWS are part of the result."""
        records = [write_record(message) for message in messages]
        rejected = self._send(records)
        lost = self._put(records, rejected) if rejected else []
        return Delivery(unsent=rejected[: len(rejected) - len(lost)], lost=lost)

    def queue_available(self) -> bool:
        """Return whether the queue exists and responds; sends nothing."""
        try:
            self._sqs.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=["QueueArn"])
        except AWS_ERRORS as error:
            _warn("queue", error)
            return False
        return True

    def fallback_available(self) -> bool:
        """Return whether the fallback bucket exists and responds; writes nothing."""
        try:
            self._s3.head_bucket(Bucket=self.unsent_bucket)
        except AWS_ERRORS as error:
            _warn("fallback", error)
            return False
        return True

    def _send(self, records: Sequence[Record]) -> list[int]:
        """Send records to the queue and return the positions of those it rejected."""
        rejected: list[int] = []
        for positions in _batches(records):
            try:
                response = self._sqs.send_message_batch(
                    QueueUrl=self.queue_url,
                    Entries=[
                        {"Id": str(position), "MessageBody": records[position].body} for position in positions
                    ],
                )
            except AWS_ERRORS as error:
                _warn("queue", error)
                return [*rejected, *range(positions.start, len(records))]
            for failure in response.get("Failed", ()):
                logger(SERVICE).warning("queue rejected a record", extra={"error": failure["Code"]})
                rejected.append(int(failure["Id"]))
        return rejected

    def _put(self, records: Sequence[Record], positions: Sequence[int]) -> list[int]:
        """Write records to S3 and return the positions of those that failed."""
        for index, position in enumerate(positions):
            record = records[position]
            try:
                self._s3.put_object(
                    Bucket=self.unsent_bucket,
                    Key=record.key,
                    Body=record.body.encode(),
                    ContentType="application/json",
                )
            except AWS_ERRORS as error:
                _warn("fallback", error)
                return [*positions[index:]]
        return []


def write_record(message: PredictionMade | FeedbackGiven) -> Record:
    """Serialize a message; the JSON is ASCII, since SQS rejects some characters that JSON allows."""
    if isinstance(message, PredictionMade):
        name, time = message.prediction_id, message.predicted_at
    else:  # a prediction may receive feedback several times
        name, time = uuid.uuid7(), message.given_at
    return Record(message.model_dump_json(ensure_ascii=True), f"unsent/{time:%Y/%m/%d}/{name}.json")


def _batches(records: Sequence[Record]) -> Iterator[range]:
    """Split records into ranges that fit into one SendMessageBatch call each."""
    start = size = 0
    for position, record in enumerate(records):
        if position - start == ENTRIES_PER_CALL or size + len(record.body) > BYTES_PER_CALL:
            yield range(start, position)
            start, size = position, 0
        size += len(record.body)
    yield range(start, len(records))


def _warn(service: str, error: Exception) -> None:
    """Log an error of AWS; botocore's messages name the operation and the URL, never the body."""
    details = {"error": type(error).__name__, "reason": str(error)}
    logger(SERVICE).warning(f"{service} unavailable", extra=details)
