"""S3 buckets, never public and over TLS only."""

from typing import Any

from aws_cdk import aws_s3 as s3
from constructs import Construct


def private_bucket(
    scope: Construct,
    id: str,
    *,
    encryption: s3.BucketEncryption = s3.BucketEncryption.S3_MANAGED,
    **options: Any,
) -> s3.Bucket:
    """Make a bucket that blocks public access; `options` go to the construct."""
    return s3.Bucket(
        scope,
        id,
        encryption=encryption,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        enforce_ssl=True,
        **options,
    )
