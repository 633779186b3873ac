"""Where a drift run's page can be read for a few minutes: a signed URL, made without asking anybody.

Only a page that the drift monitor itself recorded is signed, and only under its prefix of our bucket.
"""

import re
from functools import cache
from typing import TYPE_CHECKING

from sentiment.exceptions import SentimentError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

VALID_SECONDS = 300
_PAGE = re.compile(r"s3://(?P<bucket>[a-z0-9.-]{3,63})/(?P<key>reports/drift/[\w./:+-]+\.html)")


class PageNotFoundError(SentimentError):
    """No such drift run, or a run without a page."""

    code = "page_not_found"
    status = 404


@cache
def s3() -> "S3Client":
    """Make the client once.

    Objects under KMS take signatures of version 4 only. Without the style, URLs name the worldwide host,
    which sends a young bucket's callers on to its region, where the signature no longer holds.
    """
    import boto3  # only this route needs it
    from botocore.config import Config

    return boto3.client("s3", config=Config(signature_version="s3v4", s3={"addressing_style": "virtual"}))


def sign(report_uri: str | None, bucket: str) -> str:
    """Return a URL by which anybody can read the page for five minutes; raises PageNotFoundError."""
    found = _PAGE.fullmatch(report_uri or "")
    if found is None or found["bucket"] != bucket or ".." in found["key"]:
        raise PageNotFoundError("this run has no page: it was not stored when the run was recorded")
    return s3().generate_presigned_url(
        "get_object", Params={"Bucket": bucket, "Key": found["key"]}, ExpiresIn=VALID_SECONDS
    )
