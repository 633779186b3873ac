"""The Lambda entry point: loads the model during init, then handles one event at a time.

Importing this module reads the settings and the artifact on purpose: during Lambda's init that delays no
request. An invalid setting or artifact raises there, so a bad version never serves.
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
    dependencies = create_dependencies(settings())
    return dependencies, Mangum(create_app(dependencies), lifespan="off")


dependencies, respond = load()


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle one API Gateway event (HTTP API, payload 2.0) and flush metrics before Lambda freezes.

    `{"action": "check_release"}` evaluates the golden reviews instead. Clients cannot send it, because events
    from API Gateway always have a requestContext.
    """
    if event.get("action") == "check_release" and "requestContext" not in event:
        return check_release(dependencies.classifier, dependencies.golden)
    try:
        return respond(event, context)
    finally:
        metrics(SERVICE).flush_metrics()
