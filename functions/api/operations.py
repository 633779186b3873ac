"""Routes for operators: health, the model card, the golden reviews and metrics."""

from typing import Any

from fastapi import APIRouter, HTTPException, Response
from sentiment.exceptions import ModelError
from sentiment.logging import logger

from functions.api.dependencies import NeedsDependencies
from functions.api.model.card_schema import ModelResponse
from functions.api.model.golden import read_golden
from functions.api.privacy import storable_text
from functions.api.schemas import ErrorResponse, HealthResponse
from functions.api.settings import SERVICE

router = APIRouter(tags=["operations"])


@router.get("/health", responses={503: {"model": HealthResponse}})
async def health(response: Response, dependencies: NeedsDependencies) -> HealthResponse:
    """Check whether this instance can predict and store records. Stores nothing."""
    checked = HealthResponse(
        status="ok", failing=[], model_version=dependencies.classifier.card.model_version
    )
    try:
        dependencies.classifier.check()
    except ModelError as error:
        logger(SERVICE).error(
            "model check failed", extra={"error": type(error).__name__, "reason": str(error)}
        )
        checked.failing.append("model")
    if not dependencies.outbox.queue_available():
        checked.failing.append("queue")
        if not dependencies.outbox.fallback_available():
            checked.failing.append("fallback")
    if checked.failing == ["queue"]:
        checked.status = "degraded"
    elif checked.failing:
        checked.status = "unavailable"
        response.status_code = 503
    return checked


@router.get("/model", response_model=None, responses={200: {"model": ModelResponse}})
async def model(dependencies: NeedsDependencies) -> dict[str, Any]:
    """Return the model card: version, labels, data, metrics, and how the model was exported.

    The vectors that novelty is measured with are left out: they take tens of thousands of bytes.
    """
    return dependencies.classifier.card.model_dump(
        mode="json", exclude={"novelty": {"centroids", "spread", "common"}}
    )


@router.get("/model/golden", responses={404: {"model": ErrorResponse}})
async def golden(dependencies: NeedsDependencies) -> dict[str, Any]:
    """Return the held-out reviews that every release is checked with, and the expected predictions.

    The privacy mode applies to their texts as well.
    """
    if dependencies.golden is None:
        raise HTTPException(404, "This artifact has no golden reviews; export the model again to add them")
    mode = dependencies.settings.privacy_mode
    reviews = [
        review.model_dump() | {"text": storable_text(review.text, mode)}
        for review in read_golden(dependencies.golden)
    ]
    return {"model_version": dependencies.classifier.card.model_version, "reviews": reviews}


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(dependencies: NeedsDependencies) -> Response:
    """Return this instance's metrics in Prometheus' text format."""
    return Response(dependencies.metrics.prometheus(), media_type="text/plain; version=0.0.4; charset=utf-8")
