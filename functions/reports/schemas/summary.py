"""Volume, latency, confidence, feedback and errors of a time range."""

from datetime import datetime

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
