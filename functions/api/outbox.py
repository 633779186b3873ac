"""Where records become durable before anybody is answered: the queue, or S3 when the queue refuses.

The log writer reads the queue and `sentiment replay` puts what lies under `unsent/` back into it, so a body
in S3 is the exact body of the message. Clients fail fast (seconds, few retries), because API Gateway gives up
after 30 seconds; a service that does not answer is not asked again for the same request.
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
ENTRIES_PER_CALL = 10  # SendMessageBatch takes no more
BYTES_PER_CALL = 250_000  # under the 262,144 bytes that every region's and emulator's SendMessageBatch takes

CLIENT = Config(
    connect_timeout=1,
    read_timeout=2,
    retries={"mode": "standard", "total_max_attempts": 2},
    tcp_keepalive=True,
    parameter_validation=False,
)


class Delivery(NamedTuple):
    """What became of the messages that the queue did not take, by their position in the request."""

    unsent: list[int]  # durable in S3, waiting to be replayed
    lost: list[int]  # durable nowhere: must not be answered


class Record(NamedTuple):
    """One message as it travels, and the key it gets in S3 when the queue refuses it."""

    body: str
    key: str


class Outbox:
    """The queue with its fallback; connections are made on first use and live as long as the instance."""

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
        """Make messages durable, in the queue if it takes them, else in S3; AWS' errors are in the result."""
        records = [write_record(message) for message in messages]
        refused = self._send(records)
        lost = self._put(records, refused) if refused else []
        return Delivery(unsent=refused[: len(refused) - len(lost)], lost=lost)

    def takes_messages(self) -> bool:
        """Ask whether the queue exists and answers; sends nothing."""
        try:
            self._sqs.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=["QueueArn"])
        except AWS_ERRORS as error:
            _warn("queue", error)
            return False
        return True

    def takes_unsent(self) -> bool:
        """Ask whether the fallback bucket exists and answers; writes nothing."""
        try:
            self._s3.head_bucket(Bucket=self.unsent_bucket)
        except AWS_ERRORS as error:
            _warn("fallback", error)
            return False
        return True

    def _send(self, records: Sequence[Record]) -> list[int]:
        """Send records to the queue and return the positions it did not take."""
        refused: list[int] = []
        for positions in _calls(records):
            try:
                answer = self._sqs.send_message_batch(
                    QueueUrl=self.queue_url,
                    Entries=[
                        {"Id": str(position), "MessageBody": records[position].body} for position in positions
                    ],
                )
            except AWS_ERRORS as error:
                _warn("queue", error)
                return [*refused, *range(positions.start, len(records))]
            for failure in answer.get("Failed", ()):
                logger(SERVICE).warning("queue refused a record", extra={"error": failure["Code"]})
                refused.append(int(failure["Id"]))
        return refused

    def _put(self, records: Sequence[Record], positions: Sequence[int]) -> list[int]:
        """Write records to S3 and return the positions it did not take."""
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
    """Turn a message into a record; its JSON is ASCII, since SQS refuses characters that JSON allows."""
    if isinstance(message, PredictionMade):
        name, time = message.prediction_id, message.predicted_at
    else:  # one prediction may get feedback many times
        name, time = uuid.uuid7(), message.given_at
    return Record(message.model_dump_json(ensure_ascii=True), f"unsent/{time:%Y/%m/%d}/{name}.json")


def _calls(records: Sequence[Record]) -> Iterator[range]:
    """Cut records into runs of positions that one SendMessageBatch call may carry."""
    start = size = 0
    for position, record in enumerate(records):
        if position - start == ENTRIES_PER_CALL or size + len(record.body) > BYTES_PER_CALL:
            yield range(start, position)
            start, size = position, 0
        size += len(record.body)
    yield range(start, len(records))


def _warn(part: str, error: Exception) -> None:
    """Log which part refused and why; a botocore message names the operation and the URL, never the body."""
    logger(SERVICE).warning(f"{part} refused", extra={"error": str(error)})
