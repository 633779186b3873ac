"""Spell labeled as everything else does: in the name of an index and in what the drift monitor records."""

from alembic import op

revision = "0007"
down_revision = "0006"
OLD, NEW = "labelled", "labeled"

RENAME = (
    "ALTER INDEX ix_prediction_logs_OLD RENAME TO ix_prediction_logs_NEW",
    "UPDATE dataset_metrics SET metrics = jsonb_set("
    "metrics #- '{performance,OLD}', '{performance,NEW}', metrics #> '{performance,OLD}') "
    "WHERE metrics #> '{performance,OLD}' IS NOT NULL",
    "UPDATE monitoring_alerts SET details = details - 'OLD' || jsonb_build_object('NEW', details -> 'OLD') "
    "WHERE details ? 'OLD'",
)


def upgrade() -> None:
    """Rename the index and the field; only the rows of performance checks are rewritten."""
    _rename(OLD, NEW)


def downgrade() -> None:
    """Restore the previous spelling."""
    _rename(NEW, OLD)


def _rename(old: str, new: str) -> None:
    for statement in RENAME:
        op.execute(statement.replace("OLD", old).replace("NEW", new))
