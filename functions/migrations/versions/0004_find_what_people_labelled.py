"""Find the few rows that people labelled among the many that they did not.

Without it, what people said of a month is read from all that was predicted in it. Writers wait while it is
built, and the queue for them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Index them; a migration's transaction rules out building it concurrently."""
    op.create_index(
        "ix_prediction_logs_labelled",
        "prediction_logs",
        ["id"],
        postgresql_where=sa.text("feedback_at IS NOT NULL"),
    )


def downgrade() -> None:
    """Take the index away again."""
    op.drop_index("ix_prediction_logs_labelled", table_name="prediction_logs")
