"""Add a deployment's Lambda version and reason, and the deployment type candidate."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

TABLE = "model_deployments"


def upgrade() -> None:
    """Add the columns and the type, and update the comments."""
    op.add_column(
        TABLE,
        sa.Column(
            "function_version",
            sa.Text(),
            nullable=True,
            comment="Version of the API Lambda; null on a laptop",
        ),
    )
    op.add_column(
        TABLE,
        sa.Column("reason", sa.Text(), nullable=True, comment="Why, when it was not an ordinary release"),
    )
    _allow_types("champion", "canary", "shadow", "candidate")
    _comment(
        "champion, canary or shadow; candidate: passed the gate, waits to be deployed", "deployment_type"
    )
    _comment("Whether it is the one of its type now", "is_active")


def downgrade() -> None:
    """Remove them, and the candidates, which the old constraint does not allow."""
    op.execute(sa.text("DELETE FROM model_deployments WHERE deployment_type = 'candidate'"))
    _allow_types("champion", "canary", "shadow")
    _comment("champion, canary or shadow", "deployment_type")
    _comment("Whether it takes traffic now", "is_active")
    op.drop_column(TABLE, "reason")
    op.drop_column(TABLE, "function_version")


def _allow_types(*types: str) -> None:
    name = op.f("ck_model_deployments_deployment_type")
    op.drop_constraint(name, TABLE, type_="check")
    allowed = ", ".join(f"'{kind}'" for kind in types)
    op.create_check_constraint(name, TABLE, f"deployment_type IN ({allowed})")


def _comment(comment: str, column: str) -> None:
    op.alter_column(TABLE, column, comment=comment)
