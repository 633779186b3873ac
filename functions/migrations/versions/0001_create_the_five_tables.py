"""Create the five tables.

Made by autogenerate from sentiment.database.models; the default partition was added by hand.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables, with a default partition and none by month."""
    op.create_table(
        "dataset_metrics",
        sa.Column(
            "id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False, comment="Random id"
        ),
        sa.Column("dataset", sa.Text(), nullable=False, comment="Name of the data set"),
        sa.Column(
            "fingerprint", sa.Text(), nullable=False, comment="Fingerprint of its rows, as in the model card"
        ),
        sa.Column("split", sa.Text(), nullable=False, comment="train, validation or test"),
        sa.Column("rows", sa.Integer(), nullable=False, comment="Number of rows after cleaning"),
        sa.Column(
            "metrics",
            postgresql.JSONB(),
            nullable=False,
            comment="Label counts, text lengths, rows dropped by reason",
        ),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it was recorded",
        ),
        sa.CheckConstraint("rows >= 0", name=op.f("ck_dataset_metrics_rows")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dataset_metrics")),
        sa.UniqueConstraint("fingerprint", "split", name=op.f("uq_dataset_metrics_fingerprint_split")),
        comment="Size, balance and lengths of each split that a model was trained or measured on",
    )
    op.create_table(
        "experiment_runs",
        sa.Column("run_id", sa.Text(), nullable=False, comment="MLflow's id of the run"),
        sa.Column("experiment", sa.Text(), nullable=False, comment="Name of the MLflow experiment"),
        sa.Column("status", sa.Text(), nullable=False, comment="MLflow's status of the run"),
        sa.Column("parameters", postgresql.JSONB(), nullable=False, comment="Hyperparameters"),
        sa.Column(
            "metrics",
            postgresql.JSONB(),
            nullable=False,
            comment="Last value of each metric",
        ),
        sa.Column(
            "data_fingerprint", sa.Text(), nullable=True, comment="Fingerprint of the data it was trained on"
        ),
        sa.Column(
            "model_version", sa.Text(), nullable=True, comment="The model it gave, when one passed the gate"
        ),
        sa.Column("artifact_uri", sa.Text(), nullable=True, comment="Where MLflow keeps the run's files"),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False, comment="When the run began"),
        sa.Column(
            "ended_at", sa.DateTime(timezone=True), nullable=True, comment="When it ended; null while it runs"
        ),
        sa.CheckConstraint(
            "status IN ('RUNNING', 'SCHEDULED', 'FINISHED', 'FAILED', 'KILLED')",
            name=op.f("ck_experiment_runs_status"),
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_experiment_runs")),
        comment="Training runs as MLflow knows them",
    )
    op.create_table(
        "model_deployments",
        sa.Column(
            "id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False, comment="Random id"
        ),
        sa.Column("deployment_type", sa.Text(), nullable=False, comment="champion, canary or shadow"),
        sa.Column("model_version", sa.Text(), nullable=False, comment="Version from the model card"),
        sa.Column(
            "metrics",
            postgresql.JSONB(),
            nullable=False,
            comment="The card's metrics when it was deployed",
        ),
        sa.Column(
            "is_active",
            sa.Boolean(),
            server_default=sa.text("true"),
            nullable=False,
            comment="Whether it takes traffic now",
        ),
        sa.Column("artefact_uri", sa.Text(), nullable=False, comment="Where the artefact folder is"),
        sa.Column(
            "image_digest",
            sa.Text(),
            nullable=True,
            comment="Digest of the container image; null on a laptop",
        ),
        sa.Column(
            "deployed_by", sa.Text(), nullable=False, comment="The person or pipeline that deployed it"
        ),
        sa.Column(
            "deployed_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it took traffic",
        ),
        sa.Column(
            "retired_at", sa.DateTime(timezone=True), nullable=True, comment="When another one took over"
        ),
        sa.CheckConstraint(
            "deployment_type IN ('champion', 'canary', 'shadow')",
            name=op.f("ck_model_deployments_deployment_type"),
        ),
        sa.CheckConstraint("is_active = (retired_at IS NULL)", name=op.f("ck_model_deployments_retired")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_deployments")),
        comment="Which model was put where, by whom and when",
    )
    op.create_index(
        "uq_model_deployments_active",
        "model_deployments",
        ["deployment_type"],
        unique=True,
        postgresql_where=sa.text("is_active"),
    )
    op.create_table(
        "monitoring_alerts",
        sa.Column(
            "id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False, comment="Random id"
        ),
        sa.Column("kind", sa.Text(), nullable=False, comment="What sort of alert, such as stray_predictions"),
        sa.Column(
            "cause",
            sa.Text(),
            nullable=False,
            comment="What exactly raised it; with kind the key of an open alert",
        ),
        sa.Column("severity", sa.Text(), nullable=False, comment="info, warning or critical"),
        sa.Column(
            "message", sa.Text(), nullable=False, comment="One line for people: what, where, how to mend"
        ),
        sa.Column(
            "details",
            postgresql.JSONB(),
            nullable=False,
            comment="The figures behind it",
        ),
        sa.Column(
            "raised_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it was first found",
        ),
        sa.Column("notified_at", sa.DateTime(timezone=True), nullable=True, comment="When people were told"),
        sa.Column(
            "resolved_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When it was over; null while open",
        ),
        sa.CheckConstraint(
            "severity IN ('info', 'warning', 'critical')", name=op.f("ck_monitoring_alerts_severity")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_monitoring_alerts")),
        comment="What monitoring found; open until resolved_at is set",
    )
    op.create_index(
        "uq_monitoring_alerts_open",
        "monitoring_alerts",
        ["kind", "cause"],
        unique=True,
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.create_table(
        "prediction_logs",
        sa.Column(
            "id", sa.Uuid(), nullable=False, comment="UUIDv7 made by the API: its first 48 bits are ms"
        ),
        sa.Column(
            "text",
            sa.Text(),
            nullable=True,
            comment="The text as the privacy mode lets it through; null if hashed",
        ),
        sa.Column(
            "input_hash",
            sa.Text(),
            nullable=False,
            comment="SHA-256 of the text in hex, keyed unless the mode is full",
        ),
        sa.Column("characters", sa.Integer(), nullable=False, comment="Length of the text in characters"),
        sa.Column(
            "tokens",
            sa.Integer(),
            nullable=False,
            comment="Length in tokens before truncation, special tokens included",
        ),
        sa.Column(
            "truncated", sa.Boolean(), nullable=False, comment="Whether the model saw only part of the text"
        ),
        sa.Column("sentiment", sa.Text(), nullable=False, comment="The predicted label"),
        sa.Column(
            "confidence",
            sa.DOUBLE_PRECISION(),
            nullable=False,
            comment="Probability of the predicted label, 0 to 1",
        ),
        sa.Column(
            "probabilities",
            postgresql.JSONB(),
            nullable=False,
            comment="Probability by label",
        ),
        sa.Column(
            "inference_time_ms",
            sa.DOUBLE_PRECISION(),
            nullable=False,
            comment="Tokenizing and inference, without network and queue",
        ),
        sa.Column("model_version", sa.Text(), nullable=False, comment="Version from the model card"),
        sa.Column(
            "deployment_id", sa.Uuid(), nullable=True, comment="The row of model_deployments that answered"
        ),
        sa.Column(
            "correlation_id",
            sa.Text(),
            nullable=False,
            comment="Ties the request, its logs and this row together",
        ),
        sa.Column(
            "predicted_at", sa.DateTime(timezone=True), nullable=False, comment="When the API answered"
        ),
        sa.Column(
            "feedback_label", sa.Text(), nullable=True, comment="The label a person gave; the latest wins"
        ),
        sa.Column(
            "feedback_comment", sa.Text(), nullable=True, comment="What the person wrote beside the label"
        ),
        sa.Column(
            "feedback_at", sa.DateTime(timezone=True), nullable=True, comment="When the feedback was given"
        ),
        sa.CheckConstraint("input_hash ~ '^[0-9a-f]{64}$'", name=op.f("ck_prediction_logs_input_hash")),
        sa.CheckConstraint(
            "(feedback_label IS NULL) = (feedback_at IS NULL)", name=op.f("ck_prediction_logs_feedback")
        ),
        sa.CheckConstraint("characters > 0 AND tokens > 0", name=op.f("ck_prediction_logs_lengths")),
        sa.CheckConstraint("confidence BETWEEN 0 AND 1", name=op.f("ck_prediction_logs_confidence")),
        sa.CheckConstraint("inference_time_ms >= 0", name=op.f("ck_prediction_logs_inference_time_ms")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prediction_logs")),
        comment="Every prediction that was answered; one partition per month, dropped past retention",
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index(
        "ix_prediction_logs_model_version_id", "prediction_logs", ["model_version", "id"], unique=False
    )
    # Partitions by month come from partitions.py; what has none waits here and raises an alert.
    op.execute("CREATE TABLE prediction_logs_default PARTITION OF prediction_logs DEFAULT")


def downgrade() -> None:
    """Drop the tables with all they hold, partitions included."""
    op.drop_index("ix_prediction_logs_model_version_id", table_name="prediction_logs")
    op.drop_table("prediction_logs")
    op.drop_index(
        "uq_monitoring_alerts_open",
        table_name="monitoring_alerts",
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.drop_table("monitoring_alerts")
    op.drop_index(
        "uq_model_deployments_active", table_name="model_deployments", postgresql_where=sa.text("is_active")
    )
    op.drop_table("model_deployments")
    op.drop_table("experiment_runs")
    op.drop_table("dataset_metrics")
