"""The review queue."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from typing_extensions import TypedDict  # typing's own tells Pydantic too little before Python 3.12

DisagreementReason = TypedDict(
    "DisagreementReason",
    {"reason": Literal["disagrees"], "label": str, "similarity": float, "with": UUID | None},
)


class UncertaintyReason(TypedDict):
    reason: Literal["uncertain"]
    margin: float
    entropy: float


class NoveltyReason(TypedDict):
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
    reasons: list[DisagreementReason | UncertaintyReason | NoveltyReason]


class Review(TypedDict):
    since: datetime
    until: datetime
    items: list[ReviewItem]
