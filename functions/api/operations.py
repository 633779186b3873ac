"""The routes operators come for: is it healthy, which model is it, and what has it done."""

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
async def health(response: Response, parts: NeedsDependencies) -> HealthResponse:
    """Say whether this instance can predict and whether its records find a place; stores nothing."""
    answer = HealthResponse(status="ok", failing=[], model_version=parts.classifier.card.model_version)
    try:
        parts.classifier.check()
    except ModelError as error:
        logger(SERVICE).error("the model cannot answer", extra={"error": str(error)})
        answer.failing.append("model")
    if not parts.outbox.takes_messages():
        answer.failing.append("queue")
        if not parts.outbox.takes_unsent():
            answer.failing.append("fallback")
    if answer.failing == ["queue"]:
        answer.status = "degraded"
    elif answer.failing:
        answer.status = "unavailable"
        response.status_code = 503
    return answer


@router.get("/model", response_model=None, responses={200: {"model": ModelResponse}})
async def model(parts: NeedsDependencies) -> dict[str, Any]:
    """Return the model card: version, labels, data, metrics, and how the model was exported.

    Without the vectors that novelty is measured by: tens of thousands of bytes, which no reader can use.
    """
    return parts.classifier.card.model_dump(
        mode="json", exclude={"novelty": {"centroids", "spread", "common"}}
    )


@router.get("/model/golden", responses={404: {"model": ErrorResponse}})
async def golden(parts: NeedsDependencies) -> dict[str, Any]:
    """Return the held-out reviews that every release repeats, with what the model decides on them.

    Their texts are the training data's, so the privacy mode lets through as much of them as of others.
    """
    if parts.golden is None:
        raise HTTPException(404, "This artifact has no golden reviews; a newer export has")
    mode = parts.settings.privacy_mode
    reviews = [
        review.model_dump() | {"text": storable_text(review.text, mode)}
        for review in read_golden(parts.golden)
    ]
    return {"model_version": parts.classifier.card.model_version, "reviews": reviews}


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(parts: NeedsDependencies) -> Response:
    """Return this instance's figures as Prometheus text."""
    return Response(parts.figures.prometheus(), media_type="text/plain; version=0.0.4; charset=utf-8")
