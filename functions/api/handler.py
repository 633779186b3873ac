"""The Lambda entry point: loads the model when the instance starts, then answers one event at a time.

Importing this module reads the settings and the artefact, on purpose: Lambda's init is the one moment when
that costs no request. A wrong setting or artefact raises there, so a bad version never serves.
"""

from typing import Any

from mangum import Mangum
from mangum.types import LambdaContext
from sentiment.logging import metrics

from functions.api.app import create_app, create_parts
from functions.api.settings import SERVICE, settings


def load() -> Mangum:
    """Load the model and wire the application; raises ConfigurationError or ModelError."""
    return Mangum(create_app(create_parts(settings())), lifespan="off")


answer = load()


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one API Gateway event (HTTP API, payload 2.0) and flush its metrics before Lambda freezes."""
    try:
        return answer(event, context)
    finally:
        metrics(SERVICE).flush_metrics()
