"""Presigned URLs of drift reports, made without a request to S3.

Only reports that the drift monitor recorded are presigned, and only under its prefix of the report bucket.
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
    """The drift run does not exist or has no report."""

    code = "page_not_found"
    status = 404


@cache
def s3() -> "S3Client":
    """Make the client once.

    Objects encrypted with KMS require signature version 4. Without the addressing style, URLs name the global
    endpoint, which redirects requests for a new bucket to its region, where the signature is invalid.
    """
    import boto3  # only this route needs it
    from botocore.config import Config

    return boto3.client("s3", config=Config(signature_version="s3v4", s3={"addressing_style": "virtual"}))


def presign_report(report_uri: str | None, bucket: str) -> str:
    """Return a URL that anybody can open for five minutes; raises PageNotFoundError."""
    found = _PAGE.fullmatch(report_uri or "")
    if found is None or found["bucket"] != bucket or ".." in found["key"]:
        raise PageNotFoundError("this drift run has no report: it could not be stored")
    return s3().generate_presigned_url(
        "get_object", Params={"Bucket": bucket, "Key": found["key"]}, ExpiresIn=VALID_SECONDS
    )
