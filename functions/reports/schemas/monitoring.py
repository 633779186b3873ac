"""Performance, alerts and drift runs."""

from datetime import date, datetime
from typing import Any, Literal, NotRequired
from uuid import UUID

from typing_extensions import TypedDict  # typing's own tells Pydantic too little before Python 3.12


class LabeledAccuracy(TypedDict):
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


class LabeledEstimate(Estimate):
    expected: float


class ReferenceAccuracy(TypedDict):
    accuracy: float
    rows: int


class PerformanceVerdict(TypedDict):
    drifted: bool
    decided_by: Literal["labels", "estimate"]
    reference: ReferenceAccuracy
    estimate: Estimate
    labeled: LabeledEstimate | None
    labels: int


class RecordedPerformance(PerformanceVerdict):
    id: UUID
    model_version: str
    since: datetime
    until: datetime


class PerformanceDay(LabeledAccuracy):
    day: date
    estimate: Estimate | None


class Performance(TypedDict):
    since: datetime
    until: datetime
    model_version: str | None
    labeled: LabeledAccuracy
    days: list[PerformanceDay]
    monitor: RecordedPerformance | None


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
    """What the drift monitor recorded; runs of older versions lack some fields."""

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
