"""Add an index of the few predictions that have feedback.

Without it, reading a month's feedback scans all predictions of the month. Writers wait while it is built, and
the queue buffers their messages.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the index, not concurrently, because a migration runs in a transaction."""
    op.create_index(
        "ix_prediction_logs_labelled",
        "prediction_logs",
        ["id"],
        postgresql_where=sa.text("feedback_at IS NOT NULL"),
    )


def downgrade() -> None:
    """Remove the index."""
    op.drop_index("ix_prediction_logs_labelled", table_name="prediction_logs")
