"""Stores each run's report in S3 and links to it. The bucket's lifecycle rules decide how long it is kept."""

from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import UUID

import boto3
from botocore.config import Config
from sentiment.database.windows import Window

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PREFIX = "reports/drift"
NOT_STORED = "could not be stored; see the separate alert"


@cache
def s3() -> "S3Client":
    """Make the client once; objects encrypted with a KMS key require this signature version."""
    return boto3.client("s3", config=Config(signature_version="s3v4"))


def store_report(page: str, window: Window, model_version: str, bucket: str) -> str:
    """Write the report under the window's end and return its URI; the same window overwrites it."""
    key = f"{PREFIX}/{window.until:%Y/%m/%d/%H%M%S}-{model_version}.html"
    s3().put_object(Bucket=bucket, Key=key, Body=page.encode(), ContentType="text/html; charset=utf-8")
    return f"s3://{bucket}/{key}"


def report_link(
    report_uri: str | None, run_id: UUID, *, reports_url: str | None, now: datetime, hours: int
) -> str:
    """Return the link to the report of that run.

    Through the reports function, it works as long as the report is stored, for everybody who may read
    reports. Without it, the link is presigned and works for everybody who has it, until it expires or the
    credentials that signed it do.
    """
    if report_uri is None:
        return NOT_STORED
    if reports_url is not None:
        return f"{reports_url.rstrip('/')}/reports/drift/{run_id}/page"
    parts = urlsplit(report_uri)
    url = s3().generate_presigned_url(
        "get_object",
        Params={"Bucket": parts.netloc, "Key": parts.path.lstrip("/")},
        ExpiresIn=hours * 3600,
    )
    return (
        f"{url}\n(expires {now + timedelta(hours=hours):%Y-%m-%d %H:%M} UTC at the latest; then {report_uri})"
    )
