"""The Lambda entry point: loads the model when the instance starts, then answers one event at a time.

Importing this module reads the settings and the artifact, on purpose: Lambda's init is the one moment when
that costs no request. A wrong setting or artifact raises there, so a bad version never serves.
"""

from typing import Any

from mangum import Mangum
from mangum.types import LambdaContext
from sentiment.logging import metrics

from functions.api.app import create_app, create_dependencies
from functions.api.dependencies import Dependencies
from functions.api.model.golden import check_release
from functions.api.settings import SERVICE, settings


def load() -> tuple[Dependencies, Mangum]:
    """Load the model and wire the application; raises ConfigurationError or ModelError."""
    parts = create_dependencies(settings())
    return parts, Mangum(create_app(parts), lifespan="off")


parts, answer = load()


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one API Gateway event (HTTP API, payload 2.0) and flush its metrics before Lambda freezes.

    `{"action": "check_release"}` computes the golden reviews instead. No client can send it: what comes
    through API Gateway has a requestContext, and a body cannot take that away.
    """
    if event.get("action") == "check_release" and "requestContext" not in event:
        return check_release(parts.classifier, parts.golden)
    try:
        return answer(event, context)
    finally:
        metrics(SERVICE).flush_metrics()
