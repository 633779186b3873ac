"""Starts ministack, in its own environment, with one fault mended.

Asked for an image that is not there, it answers with none instead of ECR's error, and CDK takes that for a
yes: it would never push an image.
"""

import json
from typing import Any

from ministack.app import main
from ministack.services import ecr

describe_images = ecr._describe_images


def describe_images_or_fail(request: dict[str, Any]) -> Any:
    """Answer as ECR does."""
    status, headers, body = describe_images(request)
    if status == 200 and request.get("imageIds") and not json.loads(body).get("imageDetails"):
        return ecr.error_response_json("ImageNotFoundException", "The image does not exist", 400)
    return status, headers, body


if __name__ == "__main__":
    ecr._describe_images = describe_images_or_fail
    main()
