"""The routes operators come for: is it healthy, which model is it, and what has it done."""

from typing import Any

from fastapi import APIRouter, Response
from sentiment.exceptions import ModelError
from sentiment.logging import logger

from functions.api.dependencies import NeedsParts
from functions.api.schemas import HealthAnswer
from functions.api.settings import SERVICE

router = APIRouter(tags=["operations"])


@router.get("/health", responses={503: {"model": HealthAnswer}})
async def health(response: Response, parts: NeedsParts) -> HealthAnswer:
    """Say whether this instance can predict and whether its records find a place; stores nothing."""
    answer = HealthAnswer(status="ok", failing=[], model_version=parts.classifier.card.model_version)
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


@router.get("/model")
async def model(parts: NeedsParts) -> dict[str, Any]:
    """Return the model card: version, labels, data, metrics, and how the model was exported."""
    return parts.classifier.card.model_dump(mode="json")


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(parts: NeedsParts) -> Response:
    """Return this instance's figures as Prometheus text."""
    return Response(parts.figures.prometheus(), media_type="text/plain; version=0.0.4; charset=utf-8")
