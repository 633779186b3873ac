"""The schema of `GET /model` in the OpenAPI document, for generated clients.

Serving depends only on `artifact.Card` and returns the rest as training exported it. Cards are not validated
against this schema, so older exports that lack some fields are still served.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Informative(BaseModel):
    """A part of the card; it may have more fields than documented."""

    # Used for the OpenAPI document only, so a cold start does not build the validators.
    model_config = ConfigDict(extra="allow", protected_namespaces=(), defer_build=True)


class Metrics(Informative):
    """Metrics of one graph on the held-out rows."""

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
    """Rows of similar confidence."""

    rows: int
    confidence: float
    accuracy: float


class Baseline(Informative):
    """A cheaper model on the same rows."""

    accuracy: float
    gain: float = Field(description="Accuracy of the served model minus this one's")
    gain_ci95: list[float] = Field(description="Lower and upper bound: paired bootstrap over the rows")


class Evaluation(Informative):
    """Metrics on the test rows, which no choice was based on."""

    split: Literal["test"] | None = None
    rows: int | None = None
    fp32: Metrics | None = None
    int8: Metrics | None = None
    flipped: float | None = Field(
        None, description="Share of rows on which int8 and fp32 predict different labels"
    )
    baselines: dict[str, Baseline] | None = Field(
        None, description="The most frequent label, and the wide and the deep part alone"
    )
    confusion: list[list[int]] | None = Field(
        None, description="Rows by true and predicted label, both in the order of `labels`"
    )
    reliability: list[ReliabilityBin] | None = Field(None, description="By increasing confidence")


class Candidate(Informative):
    """A quantized graph; scored on the validation rows until one passes the gate."""

    name: str
    accuracy: float | None = Field(None, description="Null if a preferred candidate passed before")
    accuracy_loss: float | None = None
    flipped: float | None = None
    latency_ms: float = Field(description="Median of one text of 128 tokens on one thread")
    size_mb: float
    passed: bool | None = None


class Export(Informative):
    """How the served graph was chosen."""

    split: Literal["validation"] | None = None
    rows: int | None = None
    chosen: str | None = None
    candidates: list[Candidate] | None = None


class CalibrationError(Informative):
    """Expected calibration error on the validation rows, before and after temperature scaling."""

    before: float
    after: float


class Calibration(Informative):
    """Temperature scaling (Guo et al. 2017)."""

    temperature: float | None = None
    ece: CalibrationError | None = None


class WidePart(Informative):
    """A linear model of hashed unigrams and bigrams over the whole text, added to the encoder's logits."""

    buckets: int
    rows: int = Field(description="Training rows that it was fitted on")
    deep_weight: float
    wide_weight: float
    bias: list[float] = Field(description="By label")


class Data(Informative):
    """The data that the model was trained and evaluated on."""

    name: str | None = None
    fingerprint: str | None = None
    rows: dict[str, int] | None = Field(None, description="By split")
    dropped: dict[str, int] | None = Field(None, description="Rows left out, by reason")


class Architecture(Informative):
    """The encoder."""

    family: str
    layers: int
    width: int
    heads: int


class ModelResponse(Informative):
    """The model card, without the vectors that only serving needs."""

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
    wide: WidePart | None = Field(None, description="Absent in models without one")
    calibration: Calibration | None = None
    git_commit: str | None = None
    mlflow_run_id: str | None = None
