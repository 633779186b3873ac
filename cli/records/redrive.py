"""`sentiment redrive`: move the messages of the dead-letter queue back to the queue. Safe to repeat.

A message is deleted from the dead-letter queue only after the queue has accepted it.
"""

from typing import Any, Final

import typer
from rich.console import Console
from rich.progress import Progress

from cli.env_vars import required
from cli.records.queue import ENTRIES_PER_CALL, queue_errors, send


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        epilog="Reads QUEUE_URL and DEAD_LETTER_QUEUE_URL. Example: [bold]sentiment redrive[/]. Fix the "
        "cause first, otherwise the messages return to the dead-letter queue."
    )(redrive)


def redrive() -> None:
    """Move the messages of the dead-letter queue back to the queue."""
    import boto3

    queue_url = required("QUEUE_URL", "the queue of the log writer")
    dead_letter_url = required("DEAD_LETTER_QUEUE_URL", "its dead-letter queue")
    moved = 0
    with queue_errors():
        sqs = boto3.client("sqs")
        name: Final = "ApproximateNumberOfMessages"
        attributes = sqs.get_queue_attributes(QueueUrl=dead_letter_url, AttributeNames=[name])["Attributes"]
        total = int(attributes[name])
        with Progress(transient=True) as progress:
            task = progress.add_task("messages", total=total)
            # Never more than at the start: a poison message that returns at once would loop forever.
            while moved < total and (messages := _receive(sqs, dead_letter_url, total - moved)):
                for index in send(sqs, queue_url, [message["Body"] for message in messages]):
                    sqs.delete_message(
                        QueueUrl=dead_letter_url, ReceiptHandle=messages[index]["ReceiptHandle"]
                    )
                    moved += 1
                    progress.advance(task)
    Console().print(f"{moved} messages moved to the queue", highlight=False)


def _receive(sqs: Any, queue_url: str, limit: int) -> list[dict[str, Any]]:
    response = sqs.receive_message(
        QueueUrl=queue_url, MaxNumberOfMessages=min(ENTRIES_PER_CALL, limit), WaitTimeSeconds=1
    )
    return list(response.get("Messages", []))
