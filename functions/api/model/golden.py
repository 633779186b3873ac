"""The golden reviews: the predictions made at export, compared with those made here.

A release is checked with them before it receives traffic. Evaluating them stores nothing and is not counted,
so no route offers it: only callers that may invoke the function itself can.
"""

from typing import Any

from pydantic import BaseModel, Field, ValidationError
from sentiment.exceptions import ModelError
from sentiment.validation import describe_problems

from functions.api.model.artifact import FIX
from functions.api.model.classifier import Classifier


class Decision(BaseModel):
    """The prediction of one graph."""

    sentiment: str
    confidence: float = Field(ge=0, le=1)


class GoldenReview(BaseModel):
    """One held-out review, its true label, and the graphs' predictions at export."""

    text: str
    label: str
    fp32: Decision
    int8: Decision


class Golden(BaseModel):
    """The content of `golden.json`."""

    reviews: list[GoldenReview] = Field(min_length=1)


def read_golden(content: bytes | None) -> list[GoldenReview]:
    """Parse `golden.json`; raises ModelError if it is absent or invalid."""
    if content is None:
        raise ModelError("the artifact has no golden.json, so the release cannot be checked: export it again")
    try:
        return Golden.model_validate_json(content).reviews
    except ValidationError as error:
        problems = describe_problems(error, whole="file")
        raise ModelError(f"golden.json is not valid: {problems}: {FIX}") from None


def check_release(classifier: Classifier, golden: bytes | None) -> dict[str, Any]:
    """Classify the golden reviews and return actual beside expected predictions, without the texts."""
    reviews = []
    for review in read_golden(golden):
        decided = classifier.compute(review.text)
        reviews.append(
            {
                "fp32": review.fp32.sentiment,
                "int8": review.int8.sentiment,
                "decided": decided.sentiment,
                "confidence_expected": review.int8.confidence,
                "confidence": decided.probabilities[review.int8.sentiment],
                "inference_time_ms": decided.inference_time_ms,
            }
        )
    return {"model_version": classifier.card.model_version, "reviews": reviews}
