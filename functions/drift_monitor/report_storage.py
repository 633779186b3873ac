"""Keeps each run's report as a page in S3 and says where people open it; the bucket decides for how long."""

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
NONE = "could not be stored; see the other alert"


@cache
def s3() -> "S3Client":
    """Make the client once; what is encrypted by a key of KMS can only be opened by this signature."""
    return boto3.client("s3", config=Config(signature_version="s3v4"))


def store_report(page: str, window: Window, model_version: str, bucket: str) -> str:
    """Write the page under the window's end and return its URI; the same window overwrites its own."""
    key = f"{PREFIX}/{window.until:%Y/%m/%d/%H%M%S}-{model_version}.html"
    s3().put_object(Bucket=bucket, Key=key, Body=page.encode(), ContentType="text/html; charset=utf-8")
    return f"s3://{bucket}/{key}"


def link_to(
    report_uri: str | None, run_id: UUID, *, reports_url: str | None, now: datetime, hours: int
) -> str:
    """Return where a person opens the report of that run.

    Through the reports function that is for as long as the page is kept, by whoever may read reports.
    Without it S3 lets in whoever has the link, until it ends: at the time said, or with the credentials that
    signed it if those end before.
    """
    if report_uri is None:
        return NONE
    if reports_url is not None:
        return f"{reports_url.rstrip('/')}/reports/drift/{run_id}/page"
    parts = urlsplit(report_uri)
    url = s3().generate_presigned_url(
        "get_object",
        Params={"Bucket": parts.netloc, "Key": parts.path.lstrip("/")},
        ExpiresIn=hours * 3600,
    )
    return (
        f"{url}\n(opens until {now + timedelta(hours=hours):%Y-%m-%d %H:%M} UTC at most; then: {report_uri})"
    )
