"""`sentiment replay`: send the records that the queue rejected, which the API stored in S3. Safe to repeat.

A record is deleted from S3 only after the queue has accepted it.
"""

from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from cli.env_vars import required
from cli.records.queue import ENTRIES_PER_CALL, queue_errors, send

PREFIX = "unsent/"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        epilog="Reads QUEUE_URL and UNSENT_BUCKET. Examples: [bold]sentiment replay --dry-run[/] | "
        "[bold]sentiment replay[/]"
    )(replay)


def replay(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count the records and send none.")] = False,
) -> None:
    """Send the unsent records in S3 (prefix unsent/) to the queue."""
    import boto3

    queue_url = required("QUEUE_URL", "the queue of the log writer")
    bucket = required("UNSENT_BUCKET", "the bucket with the unsent records")
    with queue_errors():
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
                    batch = keys[start : start + ENTRIES_PER_CALL]
                    bodies = [s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode() for key in batch]
                    for index in send(sqs, queue_url, bodies):
                        s3.delete_object(Bucket=bucket, Key=batch[index])
                        progress.advance(task)
    Console().print(f"{len(keys)} records {'unsent' if dry_run else 'sent to the queue'}", highlight=False)
