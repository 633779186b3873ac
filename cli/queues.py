"""`sentiment replay` and `redrive`: bring records back that took the long way. Both are safe to repeat.

The log writer stores each record once however often it arrives, so nothing is removed from where it waits
until the queue has accepted it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from sentiment.exceptions import QueueError

from cli.environment import needed

PREFIX = "unsent/"
ENTRIES_PER_CALL = 10
BYTES_PER_CALL = 250_000


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(
        epilog="Reads QUEUE_URL and UNSENT_BUCKET. Examples: [bold]sentiment replay --dry-run[/] | "
        "[bold]sentiment replay[/]"
    )(replay)
    app.command(
        epilog="Reads QUEUE_URL and DEAD_LETTER_QUEUE_URL. Example: [bold]sentiment redrive[/]. Mend the "
        "cause first, else they come back."
    )(redrive)


def replay(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count the records and move none.")] = False,
) -> None:
    """Send the records that the queue refused, which wait in S3 under unsent/, to the queue."""
    import boto3

    queue_url = needed("QUEUE_URL", "the queue of the log writer")
    bucket = needed("UNSENT_BUCKET", "the bucket where refused records wait")
    with _aws_errors():
        s3, sqs = boto3.client("s3"), boto3.client("sqs")
        keys = [
            item["Key"]
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=PREFIX)
            for item in page.get("Contents", [])
        ]
        if not dry_run:
            with Progress(transient=True) as progress:
                task = progress.add_task("records", total=len(keys))
                for start in range(0, len(keys), ENTRIES_PER_CALL):
                    some = keys[start : start + ENTRIES_PER_CALL]
                    bodies = [s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode() for key in some]
                    for position in send(sqs, queue_url, bodies):
                        s3.delete_object(Bucket=bucket, Key=some[position])
                        progress.advance(task)
    Console().print(f"{len(keys)} records {'wait' if dry_run else 'sent to the queue'}", highlight=False)


def redrive() -> None:
    """Move the messages of the dead-letter queue back to the queue."""
    import boto3

    queue_url = needed("QUEUE_URL", "the queue of the log writer")
    dead_url = needed("DEAD_LETTER_QUEUE_URL", "its dead-letter queue")
    moved = 0
    with _aws_errors():
        sqs = boto3.client("sqs")
        total = int(_attribute(sqs, dead_url, "ApproximateNumberOfMessages"))
        with Progress(transient=True) as progress:
            task = progress.add_task("messages", total=total)
            # Never more than were there to begin with: a poison message that comes back at once stays.
            while moved < total and (messages := _receive(sqs, dead_url, total - moved)):
                for position in send(sqs, queue_url, [message["Body"] for message in messages]):
                    sqs.delete_message(QueueUrl=dead_url, ReceiptHandle=messages[position]["ReceiptHandle"])
                    moved += 1
                    progress.advance(task)
    Console().print(f"{moved} messages moved to the queue", highlight=False)


def send(sqs: Any, queue_url: str, bodies: Sequence[str]) -> Iterator[int]:
    """Send bodies and yield the position of each that SQS accepted; raises QueueError when it refuses one."""
    for positions in _calls(bodies):
        entries = [{"Id": str(position), "MessageBody": bodies[position]} for position in positions]
        answer = sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)
        yield from (int(accepted["Id"]) for accepted in answer.get("Successful", []))
        if refused := answer.get("Failed"):
            raise QueueError(
                f"the queue refused {len(refused)} records ({refused[0]['Code']}); run it again later"
            )


@contextmanager
def _aws_errors() -> Iterator[None]:
    """Turn what boto3 raises into one line."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise QueueError(f"{error}; check QUEUE_URL, AWS_ENDPOINT_URL and the credentials") from None


def _calls(bodies: Sequence[str]) -> Iterator[list[int]]:
    """Cut the positions into what one SendMessageBatch takes."""
    call: list[int] = []
    size = 0
    for position, body in enumerate(bodies):
        if call and (len(call) == ENTRIES_PER_CALL or size + len(body.encode()) > BYTES_PER_CALL):
            yield call
            call, size = [], 0
        call.append(position)
        size += len(body.encode())
    if call:
        yield call


def _receive(sqs: Any, url: str, most: int) -> list[dict[str, Any]]:
    answer = sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=min(ENTRIES_PER_CALL, most), WaitTimeSeconds=1
    )
    return list(answer.get("Messages", []))


def _attribute(sqs: Any, url: str, name: str) -> str:
    return str(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])
