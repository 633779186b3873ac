"""Send records to the log writer's queue. It stores each record once, however often it is sent."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sentiment.exceptions import QueueError

ENTRIES_PER_CALL = 10  # SQS's limit for a batch
BYTES_PER_CALL = 250_000


def send(sqs: Any, queue_url: str, bodies: Sequence[str]) -> Iterator[int]:
    """Send bodies and yield the index of each that SQS accepted; raises QueueError if it rejects one."""
    for indexes in _batches(bodies):
        entries = [{"Id": str(index), "MessageBody": bodies[index]} for index in indexes]
        response = sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)
        yield from (int(accepted["Id"]) for accepted in response.get("Successful", []))
        if rejected := response.get("Failed"):
            raise QueueError(
                f"the queue rejected {len(rejected)} records ({rejected[0]['Code']}); run it again later"
            )


@contextmanager
def queue_errors() -> Iterator[None]:
    """Raise boto3's errors as QueueError, in one line."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise QueueError(f"{error}; check QUEUE_URL, AWS_ENDPOINT_URL and the credentials") from None


def _batches(bodies: Sequence[str]) -> Iterator[list[int]]:
    """Split the indexes into what one SendMessageBatch accepts."""
    batch: list[int] = []
    size = 0
    for index, body in enumerate(bodies):
        if batch and (len(batch) == ENTRIES_PER_CALL or size + len(body.encode()) > BYTES_PER_CALL):
            yield batch
            batch, size = [], 0
        batch.append(index)
        size += len(body.encode())
    if batch:
        yield batch
