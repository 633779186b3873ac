"""Add novelty and unknown tokens of a prediction, and the severity of an alert when it was notified."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

SPLIT = "train, validation or test; window: a span of traffic"
METRICS = "What each split of a data set looked like, and each window of traffic"


def upgrade() -> None:
    """Add the columns, and update the comments of dataset_metrics."""
    op.add_column(
        "prediction_logs",
        sa.Column(
            "unknown_tokens",
            sa.Integer(),
            comment="Of the tokens, those that the vocabulary lacks; null before they were counted",
        ),
    )
    op.add_column(
        "prediction_logs",
        sa.Column(
            "novelty",
            sa.Double(),
            comment="Distance to the nearest centroid; 1 familiar text in 100 is beyond 1.5; null: not known",
        ),
    )
    op.add_column(
        "monitoring_alerts",
        sa.Column(
            "seen_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.now(),
            comment="When it was last found",
        ),
    )
    op.add_column(
        "monitoring_alerts",
        sa.Column(
            "notified_severity",
            sa.Text(),
            comment="How severe it was when they were told; a higher one is told again",
        ),
    )
    op.execute(
        sa.text("UPDATE monitoring_alerts SET notified_severity = severity WHERE notified_at IS NOT NULL")
    )
    op.alter_column("monitoring_alerts", "notified_at", comment="When people were told last")
    op.alter_column("dataset_metrics", "split", comment=SPLIT)
    op.create_table_comment("dataset_metrics", METRICS)


def downgrade() -> None:
    """Remove the columns."""
    op.create_table_comment(
        "dataset_metrics", "Size, balance and lengths of each split that a model was trained or measured on"
    )
    op.alter_column("dataset_metrics", "split", comment="train, validation or test")
    op.alter_column("monitoring_alerts", "notified_at", comment="When people were told")
    op.drop_column("monitoring_alerts", "notified_severity")
    op.drop_column("monitoring_alerts", "seen_at")
    op.drop_column("prediction_logs", "novelty")
    op.drop_column("prediction_logs", "unknown_tokens")
