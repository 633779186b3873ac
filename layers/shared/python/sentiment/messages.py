"""The facts that travel through the queue, as the API writes them and the log writer reads them.

A message is a past-tense fact, complete in itself: the writer needs nothing else to store it. Messages of an
older API may still be in the queue and must keep parsing: add fields with defaults, never rename.
"""

from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter


class PredictionMade(BaseModel):
    """One answered prediction. `text` is what the privacy mode lets through: all, redacted, or nothing."""

    model_config = ConfigDict(frozen=True)

    type: Literal["prediction_made"] = "prediction_made"
    prediction_id: UUID  # version 7: its first 48 bits are the time in ms, which is also the partition key
    text: str | None
    input_hash: str = Field(pattern="^[0-9a-f]{64}$")
    characters: int = Field(ge=1)
    tokens: int = Field(ge=1)  # before truncation, special tokens included
    truncated: bool
    sentiment: str
    confidence: float = Field(ge=0, le=1)
    probabilities: dict[str, float]
    inference_time_ms: float = Field(ge=0)
    model_version: str
    deployment_id: UUID | None = None
    correlation_id: str
    predicted_at: AwareDatetime
    unknown_tokens: int | None = Field(default=None, ge=0)  # before truncation
    novelty: float | None = Field(default=None, ge=0)  # null when the artifact cannot tell


class FeedbackGiven(BaseModel):
    """A person's label for one prediction; the latest `given_at` wins."""

    model_config = ConfigDict(frozen=True)

    type: Literal["feedback_given"] = "feedback_given"
    prediction_id: UUID
    label: str
    comment: str | None = None
    correlation_id: str
    given_at: AwareDatetime


class TrafficCounted(BaseModel):
    """What the API says it answered in one span of time, counted apart from what is stored of it."""

    model_config = ConfigDict(frozen=True)

    type: Literal["traffic_counted"] = "traffic_counted"
    since: AwareDatetime
    until: AwareDatetime
    requests: int = Field(ge=0)  # on all routes
    client_errors: int = Field(ge=0)  # answered 4xx
    server_errors: int = Field(ge=0)  # answered 5xx
    predictions: int = Field(ge=0)  # answered, and so promised to be stored


Fact = PredictionMade | FeedbackGiven | TrafficCounted
Message = Annotated[Fact, Field(discriminator="type")]
_message: TypeAdapter[Fact] = TypeAdapter(Message)


def parse_message(body: str | bytes) -> Fact:
    """Read one message from its JSON; raises pydantic's ValidationError when it is not one."""
    return _message.validate_json(body)


def uuid7_time(prediction_id: UUID) -> datetime:
    """Return the UTC instant in the first 48 bits of a UUIDv7 (RFC 9562, section 5.7), to the millisecond."""
    return datetime.fromtimestamp((prediction_id.int >> 80) / 1000, tz=UTC)
