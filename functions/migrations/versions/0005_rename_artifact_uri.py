"""Rename artefact_uri to artifact_uri."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Rename the column; Postgres changes its catalog only."""
    op.alter_column(
        "model_deployments",
        "artefact_uri",
        new_column_name="artifact_uri",
        comment="Where the artifact folder is",
        existing_comment="Where the artefact folder is",
    )


def downgrade() -> None:
    """Restore the previous name."""
    op.alter_column(
        "model_deployments",
        "artifact_uri",
        new_column_name="artefact_uri",
        comment="Where the artefact folder is",
        existing_comment="Where the artifact folder is",
    )
