"""Spell the column artifact_uri as everything else does."""

from alembic import op

revision = "0005"
down_revision = "0004"
TABLE, OLD, NEW = "model_deployments", "artefact_uri", "artifact_uri"


def upgrade() -> None:
    """Rename the column; Postgres changes its catalog only."""
    op.alter_column(TABLE, OLD, new_column_name=NEW)


def downgrade() -> None:
    """Restore the previous name."""
    op.alter_column(TABLE, NEW, new_column_name=OLD)
