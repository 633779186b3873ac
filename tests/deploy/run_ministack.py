"""Starts ministack, in its own environment, with two faults mended that would stop CDK.

Asked for an image that is not there, it answers with none instead of ECR's error, which CDK takes for a yes:
it would never push an image. And its CloudFormation forgets the tags of buckets, by which CDK's function
knows those that it may empty.
"""

import json
from typing import Any

from ministack.app import main
from ministack.services import ecr, s3
from ministack.services.cloudformation.provisioners import _RESOURCE_HANDLERS as PROVISIONERS

describe_images = ecr._describe_images
create_bucket = PROVISIONERS["AWS::S3::Bucket"]["create"]


def describe_images_or_fail(request: dict[str, Any]) -> Any:
    """Answer as ECR does."""
    status, headers, body = describe_images(request)
    if status == 200 and request.get("imageIds") and not json.loads(body).get("imageDetails"):
        return ecr.error_response_json("ImageNotFoundException", "The image does not exist", 400)
    return status, headers, body


def create_bucket_with_tags(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
    """Make a bucket as CloudFormation does."""
    name, attributes = create_bucket(logical_id, properties, stack)
    s3._bucket_tags[name] = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}
    return name, attributes


if __name__ == "__main__":
    ecr._describe_images = describe_images_or_fail
    PROVISIONERS["AWS::S3::Bucket"]["create"] = create_bucket_with_tags
    main()
