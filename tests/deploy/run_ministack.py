"""Starts ministack, in its own environment, with fixes for two bugs that would stop CDK.

For an image that does not exist, it returns an empty list instead of ECR's error; CDK takes that for an
existing image and never pushes one. And its CloudFormation ignores the tags of buckets, by which CDK's
function recognizes those that it may empty.
"""

import json
from typing import Any

from ministack.app import main
from ministack.services import ecr, s3
from ministack.services.cloudformation.provisioners import _RESOURCE_HANDLERS as PROVISIONERS

describe_images = ecr._describe_images
create_bucket = PROVISIONERS["AWS::S3::Bucket"]["create"]


def describe_images_or_fail(request: dict[str, Any]) -> Any:
    """Respond as ECR does."""
    status, headers, body = describe_images(request)
    if status == 200 and request.get("imageIds") and not json.loads(body).get("imageDetails"):
        return ecr.error_response_json("ImageNotFoundException", "The image does not exist", 400)
    return status, headers, body


def create_bucket_with_tags(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
    """Create a bucket as CloudFormation does."""
    name, attributes = create_bucket(logical_id, properties, stack)
    s3._bucket_tags[name] = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}
    return name, attributes


if __name__ == "__main__":
    ecr._describe_images = describe_images_or_fail
    PROVISIONERS["AWS::S3::Bucket"]["create"] = create_bucket_with_tags
    main()
