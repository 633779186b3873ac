"""What each route answers, as types.

Nothing of this runs while one answers: the OpenAPI document is made of it, the page's client of that, and the
tests hold every answer to it.

Ids are UUIDs, times ISO 8601 with their zone; what is not known is null.
"""

from datetime import date, datetime
from typing import Any, Literal, NotRequired
from uuid import UUID

from typing_extensions import TypedDict  # typing's own tells Pydantic too little before Python 3.12


class Latency(TypedDict):
    p50: float | None
    p95: float | None


class Latencies(Latency):
    p99: float | None


class TimeBin(TypedDict):
    since: datetime
    predictions: int
    by_sentiment: dict[str, int]
    confidence: float | None
    inference_time_ms: Latency


HistogramBin = TypedDict("HistogramBin", {"from": float, "to": float, "predictions": int})


class Confidence(TypedDict):
    mean: float | None
    histogram: list[HistogramBin]


class Novelty(TypedDict):
    mean: float | None


class FeedbackCount(TypedDict):
    given: int
    agreed: int


class Requests(TypedDict):
    counted: int
    client_errors: int
    server_errors: int
    error_rate: float | None
    since: datetime
    until: datetime


class Summary(TypedDict):
    since: datetime
    until: datetime
    predictions: int
    over_time: list[TimeBin]
    by_sentiment: dict[str, int]
    by_model_version: dict[str, int]
    truncated_share: float | None
    confidence: Confidence
    novelty: Novelty
    inference_time_ms: Latencies
    feedback: FeedbackCount
    requests: Requests | None


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
    artefact_uri: str
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


class LabelledAccuracy(TypedDict):
    labels: int
    agreed: int
    accuracy: float | None
    low: float | None
    high: float | None


class Estimate(TypedDict):
    accuracy: float
    low: float
    high: float
    rows: int


class LabelledEstimate(Estimate):
    expected: float


class ReferenceAccuracy(TypedDict):
    accuracy: float
    rows: int


class PerformanceVerdict(TypedDict):
    drifted: bool
    decided_by: Literal["labels", "estimate"]
    reference: ReferenceAccuracy
    estimate: Estimate
    labelled: LabelledEstimate | None
    labels: int


class Judgement(PerformanceVerdict):
    id: UUID
    model_version: str
    since: datetime
    until: datetime


class PerformanceDay(LabelledAccuracy):
    day: date
    estimate: Estimate | None


class Performance(TypedDict):
    since: datetime
    until: datetime
    model_version: str | None
    labelled: LabelledAccuracy
    days: list[PerformanceDay]
    monitor: Judgement | None


class ReconciledDay(TypedDict):
    day: date
    served: int
    stored: int
    hours_counted: float
    difference: int


class Reconciliation(TypedDict):
    since: datetime
    until: datetime
    days: list[ReconciledDay]


class Alert(TypedDict):
    id: UUID
    kind: str
    cause: str
    severity: Literal["info", "warning", "critical"]
    message: str
    details: dict[str, Any]
    raised_at: datetime
    seen_at: datetime
    notified_at: datetime | None
    notified_severity: str | None
    resolved_at: datetime | None


class Alerts(TypedDict):
    alerts: list[Alert]
    next_before: UUID | None


class Feature(TypedDict):
    feature: str
    method: str
    effect: float
    threshold: float
    drifted: bool
    reference: float | dict[str, float]
    current: float | dict[str, float]


class Verdict(TypedDict):
    drifted: bool
    score: float
    drift_threshold: NotRequired[float]  # not recorded by older runs
    features: list[Feature]


class Phrase(TypedDict):
    phrase: str
    current: float
    reference: float
    z: float


class DriftRun(TypedDict):
    """What the monitor recorded; runs of an older one lack what it did not know."""

    id: UUID
    at: datetime
    rows: int
    compared: NotRequired[int]
    model_version: str
    mlflow_run_id: NotRequired[str | None]
    deployment_id: NotRequired[UUID | None]
    function_version: NotRequired[str | None]
    since: datetime
    until: datetime
    window_hours: NotRequired[float]
    other_versions: NotRequired[dict[str, int]]
    not_compared: NotRequired[list[str]]
    report_uri: NotRequired[str | None]
    retraining: NotRequired[str | None]
    score: float
    data_drift: NotRequired[Verdict]
    prediction_drift: NotRequired[Verdict]
    performance: NotRequired[PerformanceVerdict | None]
    phrases: NotRequired[list[Phrase]]


class Drift(TypedDict):
    runs: list[DriftRun]
    next_before: UUID | None


class Page(TypedDict):
    url: str


class Problem(TypedDict):
    code: str
    message: str
    correlation_id: str


class Error(TypedDict):
    error: Problem
