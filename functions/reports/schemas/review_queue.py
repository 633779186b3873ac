"""The predictions most worth a label."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from typing_extensions import TypedDict  # typing's own tells Pydantic too little before Python 3.12

Disagreement = TypedDict(
    "Disagreement",
    {"reason": Literal["disagrees"], "label": str, "similarity": float, "with": UUID | None},
)


class Uncertainty(TypedDict):
    reason: Literal["uncertain"]
    margin: float
    entropy: float


class Unfamiliarity(TypedDict):
    reason: Literal["novel"]
    novelty: float


class ReviewItem(TypedDict):
    id: UUID
    text: str
    sentiment: str
    confidence: float
    probabilities: dict[str, float]
    novelty: float | None
    model_version: str
    predicted_at: datetime
    copies: int
    reasons: list[Disagreement | Uncertainty | Unfamiliarity]


class Review(TypedDict):
    since: datetime
    until: datetime
    items: list[ReviewItem]
