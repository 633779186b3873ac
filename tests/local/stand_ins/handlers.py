"""Small handlers that the tests run under the real runtime, in processes of their own."""

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


def misbehave(event: dict[str, Any], context: Any) -> dict[str, Any]:
    match event.get("do"):
        case "raise":
            raise ValueError("that\nwill not do")
        case "sleep":
            time.sleep(10)
        case "die":
            os._exit(3)
    return {"fine": True}


def answer_http(event: dict[str, Any], context: Any) -> dict[str, Any]:
    if event["rawPath"] == "/raise":
        raise ValueError("no")
    return {
        "statusCode": 201,
        "headers": {"content-type": "application/json", "x-seen": event["headers"].get("x-sent", "")},
        "cookies": ["a=1; Path=/", "b=2"],
        "body": json.dumps(event),
        "isBase64Encoded": False,
    }


def refuse_poison(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Note every body it handles, one file each, and refuse those that say poison."""
    failures = []
    for record in event["Records"]:
        if record["body"] == "poison":
            failures.append({"itemIdentifier": record["messageId"]})
        else:
            with Path(os.environ["NOTES"], record["body"]).open("a") as note:
                note.write("handled\n")
    return {"batchItemFailures": failures}
