"""Routes for clients: predict, explain, and feedback on a prediction.

A prediction is stored before it is returned. Endpoints are coroutines that call the model and AWS directly
and so block the event loop: a Lambda instance handles one request at a time, and a thread would only add
latency. Explanations are not stored.
"""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import uuid_utils.compat as uuid
from fastapi import APIRouter
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError
from sentiment.exceptions import InvalidInputError, QueueError
from sentiment.messages import FeedbackGiven, PredictionMade, uuid7_time
from sentiment.validation import problems_of

from functions.api.dependencies import Dependencies, NeedsCorrelationId, NeedsDependencies
from functions.api.model.classifier import Prediction
from functions.api.model.explanation import explain
from functions.api.outbox import Delivery
from functions.api.privacy import hash_input, storable_text
from functions.api.schemas import (
    BatchRequest,
    BatchResponse,
    ErrorBody,
    ErrorResponse,
    ExplainRequest,
    ExplainResponse,
    FeedbackRequest,
    FeedbackResponse,
    PredictionResponse,
    PredictRequest,
    Text,
    Word,
)

router = APIRouter(tags=["predictions"])
ERRORS: dict[int | str, dict[str, Any]] = {413: {"model": ErrorResponse}, 503: {"model": ErrorResponse}}
NOT_STORED = "the prediction or feedback could not be stored; try again later"
text_adapter: TypeAdapter[str] = TypeAdapter(Text)


@router.post("/predict", responses=ERRORS, response_model_exclude_none=True)
async def predict(
    request: PredictRequest, dependencies: NeedsDependencies, correlation_id: NeedsCorrelationId
) -> PredictionResponse:
    """Classify one text. The prediction is returned only after it was stored."""
    prediction = dependencies.classifier.predict(request.text)
    record = describe(request.text, prediction, dependencies, correlation_id)
    delivery = store(dependencies, [record])
    if delivery.lost:
        raise QueueError(NOT_STORED)
    dependencies.metrics.count_predictions([record])
    return respond(record, request.return_probabilities)


@router.post("/predict/batch", responses=ERRORS, response_model_exclude_none=True)
async def predict_batch(
    request: BatchRequest, dependencies: NeedsDependencies, correlation_id: NeedsCorrelationId
) -> BatchResponse:
    """Classify up to 64 texts, each as `/predict` would; a text that fails has an `error` in its place."""
    results: dict[int, PredictionResponse | ErrorResponse] = {}
    texts: dict[int, str] = {}
    for position, text in enumerate(request.texts):
        try:
            texts[position] = text_adapter.validate_python(text)
        except ValidationError as error:
            results[position] = failure(InvalidInputError.code, next(problems_of(error)).message)

    predictions = dependencies.classifier.predict_all(texts.values())
    records = {
        at: describe(text, predictions[text], dependencies, correlation_id) for at, text in texts.items()
    }
    positions = list(records)
    delivery = store(dependencies, list(records.values()))
    if positions and len(delivery.lost) == len(positions):
        raise QueueError(NOT_STORED)
    for index in delivery.lost:
        position = positions[index]
        results[position] = failure(QueueError.code, NOT_STORED)
        del records[position]
    dependencies.metrics.count_predictions(list(records.values()))
    results |= {at: respond(record, request.return_probabilities) for at, record in records.items()}
    return BatchResponse(results=[results[position] for position in range(len(request.texts))])


@router.post("/explain", responses=ERRORS)
async def explain_prediction(request: ExplainRequest, dependencies: NeedsDependencies) -> ExplainResponse:
    """Return how much each word contributed. Takes as long as up to ten predictions; not stored."""
    prediction, words = explain(dependencies.classifier, request.text)
    return ExplainResponse(
        sentiment=prediction.sentiment,
        confidence=prediction.confidence,
        model_version=dependencies.classifier.card.model_version,
        truncated=prediction.truncated,
        words=[Word(**word._asdict()) for word in words],
    )


@router.post("/predictions/{prediction_id}/feedback", status_code=202, responses=ERRORS)
async def give_feedback(
    prediction_id: UUID,
    request: FeedbackRequest,
    dependencies: NeedsDependencies,
    correlation_id: NeedsCorrelationId,
) -> FeedbackResponse:
    """Record a person's label for a prediction; the latest feedback counts."""
    labels = dependencies.classifier.card.labels
    if request.label not in labels:
        message = f"Label must be one of: {', '.join(labels)}"
        raise RequestValidationError([{"type": "unknown_label", "loc": ("body", "label"), "msg": message}])
    feedback = FeedbackGiven(
        prediction_id=prediction_id,
        label=request.label,
        comment=storable_text(request.comment, dependencies.settings.privacy_mode)
        if request.comment
        else None,
        correlation_id=correlation_id,
        given_at=datetime.now(UTC),
    )
    delivery = store(dependencies, [feedback])
    if delivery.lost:
        raise QueueError(NOT_STORED)
    dependencies.metrics.count_feedback(request.label)
    return FeedbackResponse(prediction_id=prediction_id)


def store(dependencies: Dependencies, messages: list[PredictionMade] | list[FeedbackGiven]) -> Delivery:
    """Store messages and count those that went to S3."""
    delivery = dependencies.outbox.store(messages)
    dependencies.metrics.count_unsent(len(delivery.unsent))
    return delivery


def describe(
    text: str, prediction: Prediction, dependencies: Dependencies, correlation_id: str
) -> PredictionMade:
    """Build the record of one prediction, with as much of the text as the privacy mode allows."""
    settings = dependencies.settings
    prediction_id = uuid.uuid7()
    key = settings.input_hash_key
    return PredictionMade(
        prediction_id=prediction_id,
        text=storable_text(text, settings.privacy_mode),
        input_hash=hash_input(
            text, None if settings.privacy_mode == "full" or key is None else key.get_secret_value().encode()
        ),
        characters=len(text),
        tokens=prediction.tokens,
        truncated=prediction.truncated,
        sentiment=prediction.sentiment,
        confidence=prediction.confidence,
        probabilities=prediction.probabilities,
        inference_time_ms=prediction.inference_time_ms,
        model_version=dependencies.classifier.card.model_version,
        deployment_id=settings.deployment_id,
        correlation_id=correlation_id,
        predicted_at=uuid7_time(prediction_id),
        unknown_tokens=prediction.unknown_tokens,
        novelty=prediction.novelty,
    )


def respond(record: PredictionMade, with_probabilities: bool) -> PredictionResponse:
    """Build the response from the stored record."""
    return PredictionResponse(
        prediction_id=record.prediction_id,
        sentiment=record.sentiment,
        confidence=record.confidence,
        probabilities=record.probabilities if with_probabilities else None,
        model_version=record.model_version,
        truncated=record.truncated,
        inference_time_ms=record.inference_time_ms,
    )


def failure(code: str, message: str) -> ErrorResponse:
    """Build the error of one text in a batch."""
    return ErrorResponse(error=ErrorBody(code=code, message=message))
