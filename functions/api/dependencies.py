"""What the routes need, made once by `create_app` and handed to each request; nothing here does any work."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from functions.api.metrics import Metrics
from functions.api.model.classifier import Classifier
from functions.api.outbox import Outbox
from functions.api.settings import ApiSettings


@dataclass(frozen=True)
class Dependencies:
    """The parts of one running API."""

    settings: ApiSettings
    classifier: Classifier
    outbox: Outbox
    figures: Metrics
    golden: bytes | None = None


async def get_dependencies(request: Request) -> Dependencies:
    """Return the parts of the application that answers this request."""
    parts: Dependencies = request.app.state.parts
    return parts


async def get_correlation_id(request: Request) -> str:
    """Return the id that `RequestMiddleware` chose for this request."""
    correlation_id: str = request.state.correlation_id
    return correlation_id


NeedsDependencies = Annotated[Dependencies, Depends(get_dependencies)]
NeedsCorrelationId = Annotated[str, Depends(get_correlation_id)]
