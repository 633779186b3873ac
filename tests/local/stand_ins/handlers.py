"""Small handlers that the tests run under the real runtime, in separate processes."""

import json
import os
import time
from pathlib import Path
from typing import Any


def echo(event: dict[str, Any], context: Any) -> dict[str, Any]:
    print("echoing")
    return {
        "event": event,
        "pid": os.getpid(),
        "memory_mb": context.memory_limit_in_mb,
        "environment": dict(os.environ),
    }


def fail_on_request(event: dict[str, Any], context: Any) -> dict[str, Any]:
    match event.get("do"):
        case "raise":
            raise ValueError("invalid\nvalue")
        case "sleep":
            time.sleep(10)
        case "die":
            os._exit(3)
    return {"fine": True}


def respond_http(event: dict[str, Any], context: Any) -> dict[str, Any]:
    if event["rawPath"] == "/raise":
        raise ValueError("no")
    return {
        "statusCode": 201,
        "headers": {"content-type": "application/json", "x-seen": event["headers"].get("x-sent", "")},
        "cookies": ["a=1; Path=/", "b=2"],
        "body": json.dumps(event),
        "isBase64Encoded": False,
    }


def reject_poison(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Record each handled body in a file, and report a body "poison" as a failure."""
    failures = []
    for record in event["Records"]:
        if record["body"] == "poison":
            failures.append({"itemIdentifier": record["messageId"]})
        else:
            with Path(os.environ["HANDLED"], record["body"]).open("a") as file:
                file.write("handled\n")
    return {"batchItemFailures": failures}
