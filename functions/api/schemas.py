"""Schemas of requests and responses, with the examples that `/docs` shows."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, SkipValidation, WithJsonSchema
from pydantic_core import PydanticCustomError
from sentiment.limits import MAX_CHARACTERS, MAX_TEXTS

MAX_COMMENT_CHARACTERS = 2_000

REVIEW = "A clever script, and the whole cast is clearly having fun."
PREDICTION: dict[str, JsonValue] = {
    "prediction_id": "019ab1de-7c1f-7d3a-9c55-3f6d3e0a4b21",
    "sentiment": "positive",
    "confidence": 0.9731,
    "probabilities": {"negative": 0.0269, "positive": 0.9731},
    "model_version": "20261123-1a2b3c4d",
    "truncated": False,
    "inference_time_ms": 8.4,
}


def check_unicode(text: str) -> str:
    """Reject half a surrogate pair: JSON can contain it, but it cannot be encoded or stored."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PydanticCustomError("text_not_unicode", "Text must not contain half a surrogate pair") from None
    return text


def strip_text(text: str) -> str:
    """Strip a text; raises the validation error that FastAPI returns as a 422."""
    stripped = check_unicode(text).strip()
    if not stripped:
        raise PydanticCustomError(
            "text_empty", "Text must have at least one character that is not white space"
        )
    if len(stripped) > MAX_CHARACTERS:
        raise PydanticCustomError(
            "text_too_long",
            "Text must have at most {maximum} characters after stripping; it has {characters}",
            {"maximum": MAX_CHARACTERS, "characters": len(stripped)},
        )
    return stripped


def check_text(text: str) -> str:
    """Check a text but return it as sent, because the response has character offsets into it."""
    strip_text(text)
    return text


TextSchema = WithJsonSchema(
    {
        "type": "string",
        "minLength": 1,
        "description": f"1 to {MAX_CHARACTERS:,} characters; surrounding white space is ignored.",
    }
)
Text = Annotated[str, AfterValidator(strip_text), TextSchema]
TextAsSent = Annotated[str, AfterValidator(check_text), TextSchema]


class Schema(BaseModel):
    """Settings of all schemas."""

    model_config = ConfigDict(protected_namespaces=())


class PredictRequest(Schema):
    """One text to classify."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"text": REVIEW, "return_probabilities": True}]}
    )

    text: Text
    return_probabilities: bool = False


class BatchRequest(Schema):
    """Up to 64 texts; each is validated separately, so an invalid text does not fail the others."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"texts": [REVIEW, "Two hours I will never get back."]}]}
    )

    texts: Annotated[
        list[SkipValidation[Annotated[str, TextSchema]]], Field(min_length=1, max_length=MAX_TEXTS)
    ]
    return_probabilities: bool = False


class ExplainRequest(Schema):
    """One text to explain the classification of."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": REVIEW}]})

    text: TextAsSent


class FeedbackRequest(Schema):
    """A person's label for a prediction."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"label": "negative", "comment": "It was irony."}]}
    )

    label: str = Field(description="One of the model's labels (`GET /model`).")
    comment: Annotated[str, AfterValidator(check_unicode)] | None = Field(
        default=None, max_length=MAX_COMMENT_CHARACTERS
    )


class PredictionResponse(Schema):
    """One prediction, which was stored before it was returned."""

    model_config = ConfigDict(protected_namespaces=(), json_schema_extra={"examples": [PREDICTION]})

    prediction_id: UUID = Field(description="A UUIDv7, so ordered by time; feedback refers to it.")
    sentiment: str
    confidence: float = Field(ge=0, le=1, description="Probability of `sentiment`.")
    probabilities: dict[str, float] | None = Field(
        default=None, description="Only with `return_probabilities`."
    )
    model_version: str
    truncated: bool = Field(description="Whether the model read only a part of the text.")
    inference_time_ms: float = Field(ge=0, description="Tokenization and forward pass; close to 0 if cached.")


class ErrorBody(Schema):
    """What went wrong: `code` is stable and meant for programs, `message` for people."""

    code: str
    message: str
    correlation_id: str | None = None


class ErrorResponse(Schema):
    """The body of every error except 422."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "error": {
                        "code": "not_stored",
                        "message": "the prediction or feedback could not be stored; try again later",
                        "correlation_id": "019ab1de-7c1f-7d3a-9c55-3f6d3e0a4b20",
                    }
                }
            ]
        }
    )

    error: ErrorBody


class BatchResponse(Schema):
    """One result per text, in the order of the texts: a prediction or an error."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "results": [
                        PREDICTION,
                        {
                            "error": {
                                "code": "invalid_input",
                                "message": "Text must have at least one character",
                            }
                        },
                    ]
                }
            ]
        }
    )

    results: list[PredictionResponse | ErrorResponse]


class Word(Schema):
    """One word and its contribution to the prediction."""

    text: str
    start: int = Field(description="Offset of its first character in the text as sent (Unicode code points).")
    end: int = Field(description="Offset after its last character.")
    weight: float = Field(
        description="Contribution to the log-odds of the predicted label: positive supports `sentiment`, "
        "negative opposes it, 0 if the word was truncated."
    )


class ExplainResponse(Schema):
    """The contribution of each word."""

    model_config = ConfigDict(
        protected_namespaces=(),
        json_schema_extra={
            "examples": [
                {
                    "sentiment": "positive",
                    "confidence": 0.9731,
                    "model_version": "20261123-1a2b3c4d",
                    "truncated": False,
                    "words": [
                        {"text": "A", "start": 0, "end": 1, "weight": 0.02},
                        {"text": "clever", "start": 2, "end": 8, "weight": 1.31},
                    ],
                }
            ]
        },
    )

    sentiment: str
    confidence: float = Field(ge=0, le=1)
    model_version: str
    truncated: bool
    words: list[Word]


class FeedbackResponse(Schema):
    """The feedback was stored and will be added to its prediction."""

    status: Literal["accepted"] = "accepted"
    prediction_id: UUID


class HealthResponse(Schema):
    """`ok`: the queue accepts records. `degraded`: only S3 does. `unavailable`: see `failing`."""

    model_config = ConfigDict(
        protected_namespaces=(),
        json_schema_extra={
            "examples": [{"status": "ok", "failing": [], "model_version": "20261123-1a2b3c4d"}]
        },
    )

    status: Literal["ok", "degraded", "unavailable"]
    failing: list[Literal["model", "queue", "fallback"]]
    model_version: str
