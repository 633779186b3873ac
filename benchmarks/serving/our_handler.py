"""The API's Lambda handler for `benchmarks.serving`: API Gateway event in, response out.

Its queue is `benchmarks.serving.queue_stub`, so the whole handler including botocore's request is measured,
but not the speed of a queue.
"""

import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from mangum.types import LambdaContext

CONTEXT = {
    "function_name": "api",
    "function_version": "$LATEST",
    "invoked_function_arn": "arn:aws:lambda:eu-central-1:000000000000:function:api",
    "memory_limit_in_mb": 1769,
    "aws_request_id": "00000000-0000-0000-0000-000000000000",
    "get_remaining_time_in_millis": lambda: 30_000,
}
EVENT = Path(__file__).parents[2] / "events" / "api_predict.json"


def environment(artifact: Path, queue_url: str) -> dict[str, str]:
    """Return the environment of the `api` function."""
    return {
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL": queue_url,
        "AWS_SECRET_ACCESS_KEY": secrets.token_hex(8),
        "CACHE_ENTRIES": "0",  # otherwise repeated texts would come from the cache
        "MODEL_DIR": str(artifact),
        "POWERTOOLS_LOG_LEVEL": "ERROR",
        "QUEUE_URL": "http://127.0.0.1/000000000000/predictions",
        "THREADS": "1",
        "UNSENT_BUCKET": "unsent",
    }


def load_handler(artifact: Path, queue_url: str) -> Callable[[str], Any]:
    """Set the environment of the `api` function, import its handler and wrap it: text in, response out."""
    os.environ |= environment(artifact, queue_url)
    from functions.api.handler import handler

    event = json.loads(EVENT.read_text())
    context = cast(LambdaContext, SimpleNamespace(**CONTEXT))

    def predict(text: str) -> Any:
        response = handler(event | {"body": json.dumps({"text": text}), "isBase64Encoded": False}, context)
        if response["statusCode"] != 200:
            raise RuntimeError(f"the handler returned {response['statusCode']}: {response['body']}")
        return response

    return predict
