"""The five tables. The comments are part of the schema, so they are visible in the database.

A change needs a migration (functions/migrations/versions); a test compares the two. The queries are in the
modules named after the tables.
"""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, Index, MetaData, Text, UniqueConstraint, Uuid, func, text
from sqlalchemy.dialects.postgresql import DOUBLE_PRECISION, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMES = {
    "pk": "pk_%(table_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
}


class Record(DeclarativeBase):
    """Naming of constraints, and the Postgres types of Python types, for all tables."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text(),
        float: DOUBLE_PRECISION(),
        datetime: DateTime(timezone=True),
        UUID: Uuid(),
        dict[str, Any]: JSONB(),
    }


def _random_id() -> Mapped[UUID]:
    return mapped_column(primary_key=True, server_default=func.gen_random_uuid(), comment="Random id")


class PredictionLog(Record):
    """One served prediction. The id (UUIDv7) contains the time, so it is also the partition key."""

    __tablename__ = "prediction_logs"
    __table_args__ = (
        CheckConstraint("input_hash ~ '^[0-9a-f]{64}$'", name="input_hash"),
        CheckConstraint("characters > 0 AND tokens > 0", name="lengths"),
        CheckConstraint("confidence BETWEEN 0 AND 1", name="confidence"),
        CheckConstraint("inference_time_ms >= 0", name="inference_time_ms"),
        CheckConstraint("(feedback_label IS NULL) = (feedback_at IS NULL)", name="feedback"),
        Index("ix_prediction_logs_model_version_id", "model_version", "id"),
        Index("ix_prediction_logs_labeled", "id", postgresql_where=text("feedback_at IS NOT NULL")),
        {
            "comment": "Every prediction that was served; one partition per month, dropped past retention",
            "postgresql_partition_by": "RANGE (id)",
        },
    )

    id: Mapped[UUID] = mapped_column(
        primary_key=True, comment="UUIDv7 made by the API: its first 48 bits are ms"
    )
    text: Mapped[str | None] = mapped_column(
        comment="The text, redacted if the privacy mode says so; null if hashed"
    )
    input_hash: Mapped[str] = mapped_column(
        comment="SHA-256 of the text in hex, keyed unless the mode is full"
    )
    characters: Mapped[int] = mapped_column(comment="Length of the text in characters")
    tokens: Mapped[int] = mapped_column(comment="Length in tokens before truncation, special tokens included")
    truncated: Mapped[bool] = mapped_column(comment="Whether the model saw only part of the text")
    sentiment: Mapped[str] = mapped_column(comment="The predicted label")
    confidence: Mapped[float] = mapped_column(comment="Probability of the predicted label, 0 to 1")
    probabilities: Mapped[dict[str, Any]] = mapped_column(comment="Probability by label")
    inference_time_ms: Mapped[float] = mapped_column(
        comment="Tokenizing and inference, without network and queue"
    )
    model_version: Mapped[str] = mapped_column(comment="Version from the model card")
    # No foreign key: a prediction must not be lost because its deployment is not recorded yet.
    deployment_id: Mapped[UUID | None] = mapped_column(comment="The row of model_deployments that served")
    correlation_id: Mapped[str] = mapped_column(comment="Id of the request, also in its logs and response")
    predicted_at: Mapped[datetime] = mapped_column(comment="When the prediction was made")
    unknown_tokens: Mapped[int | None] = mapped_column(
        comment="Number of tokens that are not in the vocabulary; null if not counted"
    )
    novelty: Mapped[float | None] = mapped_column(
        comment="Distance to the nearest centroid; 1 in 100 familiar texts is beyond 1.5; null if unknown"
    )
    feedback_label: Mapped[str | None] = mapped_column(comment="The label a person gave; the latest counts")
    feedback_comment: Mapped[str | None] = mapped_column(comment="The person's comment on the label")
    feedback_at: Mapped[datetime | None] = mapped_column(comment="When the feedback was given")


class ModelDeployment(Record):
    """One deployment of a model, or a candidate for one. At most one row per type is active.

    Rows are history: only `is_active` and `retired_at` ever change.
    """

    __tablename__ = "model_deployments"
    __table_args__ = (
        CheckConstraint(
            "deployment_type IN ('champion', 'canary', 'shadow', 'candidate')", name="deployment_type"
        ),
        CheckConstraint("is_active = (retired_at IS NULL)", name="retired"),
        Index(
            "uq_model_deployments_active", "deployment_type", unique=True, postgresql_where=text("is_active")
        ),
        {"comment": "Which model was deployed, by whom and when"},
    )

    id: Mapped[UUID] = _random_id()
    deployment_type: Mapped[str] = mapped_column(
        comment="champion, canary or shadow; candidate: passed the gate, not deployed yet"
    )
    model_version: Mapped[str] = mapped_column(comment="Version from the model card")
    metrics: Mapped[dict[str, Any]] = mapped_column(comment="The model card's metrics")
    is_active: Mapped[bool] = mapped_column(
        server_default=text("true"), comment="Whether it is the active one of its type"
    )
    artifact_uri: Mapped[str] = mapped_column(comment="Where the artifact folder is")
    image_digest: Mapped[str | None] = mapped_column(
        comment="Digest of the container image; null on a laptop"
    )
    function_version: Mapped[str | None] = mapped_column(
        comment="Version of the API Lambda; null on a laptop"
    )
    reason: Mapped[str | None] = mapped_column(comment="The reason, if it was not an ordinary release")
    deployed_by: Mapped[str] = mapped_column(comment="The person or pipeline that deployed it")
    deployed_at: Mapped[datetime] = mapped_column(
        server_default=func.now(), comment="When it received the traffic"
    )
    retired_at: Mapped[datetime | None] = mapped_column(comment="When another one replaced it")


class ExperimentRun(Record):
    """A copy of one MLflow run, so that runs can be joined with predictions."""

    __tablename__ = "experiment_runs"
    __table_args__ = (
        CheckConstraint(
            "status IN ('RUNNING', 'SCHEDULED', 'FINISHED', 'FAILED', 'KILLED')",  # MLflow's RunStatus
            name="status",
        ),
        {"comment": "Training runs, copied from MLflow"},
    )

    run_id: Mapped[str] = mapped_column(primary_key=True, comment="MLflow's id of the run")
    experiment: Mapped[str] = mapped_column(comment="Name of the MLflow experiment")
    status: Mapped[str] = mapped_column(comment="MLflow's status of the run")
    parameters: Mapped[dict[str, Any]] = mapped_column(comment="Hyperparameters")
    metrics: Mapped[dict[str, Any]] = mapped_column(comment="Last value of each metric")
    data_fingerprint: Mapped[str | None] = mapped_column(comment="Fingerprint of the training data")
    model_version: Mapped[str | None] = mapped_column(comment="Version of the model, if it passed the gate")
    artifact_uri: Mapped[str | None] = mapped_column(comment="Where the run's files are")
    started_at: Mapped[datetime] = mapped_column(comment="When the run began")
    ended_at: Mapped[datetime | None] = mapped_column(comment="When it ended; null while it runs")


class DatasetMetric(Record):
    """Metrics of one split of a data set, or of one window of traffic."""

    __tablename__ = "dataset_metrics"
    __table_args__ = (
        CheckConstraint("rows >= 0", name="rows"),
        UniqueConstraint("fingerprint", "split"),
        {"comment": "Metrics of each split of a data set, and of each window of traffic"},
    )

    id: Mapped[UUID] = _random_id()
    dataset: Mapped[str] = mapped_column(comment="Name of the data set")
    fingerprint: Mapped[str] = mapped_column(comment="Fingerprint of its rows, as in the model card")
    split: Mapped[str] = mapped_column(comment="train, validation or test; window: a span of traffic")
    rows: Mapped[int] = mapped_column(comment="Number of rows after cleaning")
    metrics: Mapped[dict[str, Any]] = mapped_column(
        comment="Label counts, text lengths, rows dropped by reason"
    )
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.now(), comment="When it was recorded")


class MonitoringAlert(Record):
    """Something that needs attention. Each kind and cause has at most one open alert."""

    __tablename__ = "monitoring_alerts"
    __table_args__ = (
        CheckConstraint("severity IN ('info', 'warning', 'critical')", name="severity"),
        Index(
            "uq_monitoring_alerts_open",
            "kind",
            "cause",
            unique=True,
            postgresql_where=text("resolved_at IS NULL"),
        ),
        {"comment": "Alerts of monitoring; open until resolved_at is set"},
    )

    id: Mapped[UUID] = _random_id()
    kind: Mapped[str] = mapped_column(comment="Kind of alert, such as stray_predictions")
    cause: Mapped[str] = mapped_column(comment="The cause; with kind the key of an open alert")
    severity: Mapped[str] = mapped_column(comment="info, warning or critical")
    message: Mapped[str] = mapped_column(comment="One line for people: what, where, how to fix it")
    details: Mapped[dict[str, Any]] = mapped_column(comment="The measurements behind it")
    raised_at: Mapped[datetime] = mapped_column(server_default=func.now(), comment="When it was first found")
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now(), comment="When it was last found")
    notified_at: Mapped[datetime | None] = mapped_column(comment="When the last notification was sent")
    notified_severity: Mapped[str | None] = mapped_column(
        comment="Severity in the last notification; a higher one is notified again"
    )
    resolved_at: Mapped[datetime | None] = mapped_column(comment="When it was resolved; null while open")
