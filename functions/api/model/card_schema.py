"""What `GET /model` says of a model, for those who generate a client; training writes it, at export.

Serving depends on `artifact.Card` alone and hands on the rest as it was exported. So nothing here is asked
of an artifact: one of an older export lacks some of it and is served all the same.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Informative(BaseModel):
    """A part of the card; it may hold more than is told here."""

    # Only the API's description is made of it, so no cold start has to build its validators.
    model_config = ConfigDict(extra="allow", protected_namespaces=(), defer_build=True)


class Metrics(Informative):
    """How good one graph is on the held-out rows."""

    accuracy: float
    accuracy_ci95: list[float] | None = Field(
        None, description="Lower and upper bound: percentile bootstrap over the rows"
    )
    f1: float | None = Field(None, description="Macro-averaged")
    roc_auc: float | None = Field(
        None, description="Macro-averaged, one label against the rest; null where a label never occurs"
    )
    log_loss: float | None = None
    ece: float | None = Field(None, description="Expected calibration error")


class ReliabilityBin(Informative):
    """Rows of about the same confidence."""

    rows: int
    confidence: float
    accuracy: float


class Evaluation(Informative):
    """What was measured on rows that nothing was chosen by."""

    split: Literal["test"] | None = None
    rows: int | None = None
    fp32: Metrics | None = None
    int8: Metrics | None = None
    flipped: float | None = Field(
        None, description="Share of the rows that int8 decides differently from fp32"
    )
    confusion: list[list[int]] | None = Field(
        None, description="Rows by label and by decision, both in the order of `labels`"
    )
    reliability: list[ReliabilityBin] | None = Field(None, description="From unsure to sure")


class Candidate(Informative):
    """A quantized form of the graph, measured on the validation rows."""

    name: str
    accuracy: float
    accuracy_loss: float
    flipped: float
    latency_ms: float = Field(description="Median of one text of 128 tokens on one thread")
    size_mb: float
    passed: bool


class Export(Informative):
    """How the served form of the graph was chosen."""

    split: Literal["validation"] | None = None
    rows: int | None = None
    chosen: str | None = None
    candidates: list[Candidate] | None = None


class CalibrationError(Informative):
    """Expected calibration error on the validation rows, as they were and divided by the temperature."""

    before: float
    after: float


class Calibration(Informative):
    """Temperature scaling (Guo et al. 2017)."""

    temperature: float | None = None
    ece: CalibrationError | None = None


class Data(Informative):
    """What the model was trained and measured on."""

    name: str | None = None
    fingerprint: str | None = None
    rows: dict[str, int] | None = Field(None, description="By split")
    dropped: dict[str, int] | None = Field(None, description="Rows left out, by the reason")


class Architecture(Informative):
    """The encoder."""

    family: str
    layers: int
    width: int
    heads: int


class ModelResponse(Informative):
    """The model card, without the vectors that only serving reads."""

    schema_version: Literal[1]
    model_version: str
    labels: list[str]
    max_length: int
    truncation: str
    created_at: str | None = None
    base_model: str | None = None
    architecture: Architecture | None = None
    data: Data | None = None
    metrics: Evaluation | None = None
    export: Export | None = None
    calibration: Calibration | None = None
    git_commit: str | None = None
    mlflow_run_id: str | None = None
