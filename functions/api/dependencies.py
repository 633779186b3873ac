"""What the routes depend on: created once at startup and injected into each request."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from functions.api.metrics import Metrics
from functions.api.model.classifier import Classifier
from functions.api.outbox import Outbox
from functions.api.settings import ApiSettings


@dataclass(frozen=True)
class Dependencies:
    """The dependencies of one running API."""

    settings: ApiSettings
    classifier: Classifier
    outbox: Outbox
    metrics: Metrics
    golden: bytes | None = None


async def get_dependencies(request: Request) -> Dependencies:
    """Return the dependencies of the application that handles this request."""
    dependencies: Dependencies = request.app.state.dependencies
    return dependencies


async def get_correlation_id(request: Request) -> str:
    """Return the id that `RequestMiddleware` assigned to this request."""
    correlation_id: str = request.state.correlation_id
    return correlation_id


NeedsDependencies = Annotated[Dependencies, Depends(get_dependencies)]
NeedsCorrelationId = Annotated[str, Depends(get_correlation_id)]
