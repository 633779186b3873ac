"""Keeps each run's report as a page in S3; how long is the bucket's lifecycle to decide."""

from functools import cache
from typing import TYPE_CHECKING

import boto3
from sentiment.database.windows import Window

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PREFIX = "reports/drift"


@cache
def s3() -> "S3Client":
    """Make the client once."""
    return boto3.client("s3")


def store_report(page: str, window: Window, model_version: str, bucket: str) -> str:
    """Write the page under the window's end and return its URI; the same window overwrites its own."""
    key = f"{PREFIX}/{window.until:%Y/%m/%d/%H%M%S}-{model_version}.html"
    s3().put_object(Bucket=bucket, Key=key, Body=page.encode(), ContentType="text/html; charset=utf-8")
    return f"s3://{bucket}/{key}"
