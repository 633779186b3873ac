"""Messages in the queue, written by the API and the traffic counter and read by the log writer.

A message is a past-tense fact with everything that is needed to store it. Messages of an older version may
still be in the queue and must stay valid: add fields with defaults, never rename one.
"""

from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter


class PredictionMade(BaseModel):
    """A prediction that was made. `text` is complete, redacted or null, depending on the privacy mode."""

    model_config = ConfigDict(frozen=True)

    type: Literal["prediction_made"] = "prediction_made"
    prediction_id: UUID  # version 7: its first 48 bits are the time in ms, and it is the partition key
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
    novelty: float | None = Field(default=None, ge=0)  # null if the artifact has no novelty measure


class FeedbackGiven(BaseModel):
    """A person's label for a prediction; the one with the latest `given_at` counts."""

    model_config = ConfigDict(frozen=True)

    type: Literal["feedback_given"] = "feedback_given"
    prediction_id: UUID
    label: str
    comment: str | None = None
    correlation_id: str
    given_at: AwareDatetime


class TrafficCounted(BaseModel):
    """The API's own counts of one span of time, independent of what is stored."""

    model_config = ConfigDict(frozen=True)

    type: Literal["traffic_counted"] = "traffic_counted"
    since: AwareDatetime
    until: AwareDatetime
    requests: int = Field(ge=0)  # on all routes
    client_errors: int = Field(ge=0)  # with status 4xx
    server_errors: int = Field(ge=0)  # with status 5xx
    predictions: int = Field(ge=0)  # returned, and so expected to be stored


Fact = PredictionMade | FeedbackGiven | TrafficCounted
Message = Annotated[Fact, Field(discriminator="type")]
_message: TypeAdapter[Fact] = TypeAdapter(Message)


def parse_message(body: str | bytes) -> Fact:
    """Parse the JSON of one message; raises pydantic's ValidationError if it is invalid."""
    return _message.validate_json(body)


def uuid7_time(prediction_id: UUID) -> datetime:
    """Return the UTC time in the first 48 bits of a UUIDv7 (RFC 9562, section 5.7), in milliseconds."""
    return datetime.fromtimestamp((prediction_id.int >> 80) / 1000, tz=UTC)
