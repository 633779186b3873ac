"""Stored rows, and the audit of a prediction."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from typing_extensions import TypedDict  # typing's own tells Pydantic too little before Python 3.12


class Prediction(TypedDict):
    id: UUID
    text: str | None
    input_hash: str
    characters: int
    tokens: int
    truncated: bool
    sentiment: str
    confidence: float
    probabilities: dict[str, float]
    inference_time_ms: float
    model_version: str
    deployment_id: UUID | None
    correlation_id: str
    predicted_at: datetime
    unknown_tokens: int | None
    novelty: float | None
    feedback_label: str | None
    feedback_comment: str | None
    feedback_at: datetime | None


class Predictions(TypedDict):
    predictions: list[Prediction]
    next_before: UUID | None


class Deployment(TypedDict):
    id: UUID
    deployment_type: Literal["champion", "canary", "shadow", "candidate"]
    model_version: str
    metrics: dict[str, Any]
    is_active: bool
    artifact_uri: str
    image_digest: str | None
    function_version: str | None
    reason: str | None
    deployed_by: str
    deployed_at: datetime
    retired_at: datetime | None


class Deployments(TypedDict):
    deployments: list[Deployment]


class Run(TypedDict):
    run_id: str
    experiment: str
    status: str
    parameters: dict[str, Any]
    metrics: dict[str, Any]
    data_fingerprint: str | None
    model_version: str | None
    artifact_uri: str | None
    started_at: datetime
    ended_at: datetime | None


class AnsweredBy(TypedDict):
    model_version: str
    data_fingerprint: str | None
    mlflow_run_id: str | None
    image_digest: str | None
    function_version: str | None
    promoted_by: str | None
    promoted_at: datetime | None
    reason: str | None


class Audit(TypedDict):
    answered_by: AnsweredBy
    prediction: Prediction
    deployment: Deployment | None
    promotion: Deployment | None
    run: Run | None
