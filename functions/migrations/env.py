"""Alembic's environment: the connection that migrations run on, and the models they are compared with.

The connection comes from schema.py, or from the DATABASE_* settings when a developer runs
`alembic -c functions/migrations/alembic.ini revision --autogenerate -m "…"`.
"""

from typing import Any

from alembic import context
from sentiment.database.models import Record
from sentiment.database.session import make_engine
from sqlalchemy import Connection

from functions.migrations.settings import settings


def include_name(name: str | None, kind: str, _parents: Any) -> bool:
    """Exclude the partitions of prediction_logs, which have no model."""
    return kind != "table" or name is None or not name.startswith("prediction_logs_")


def run(connection: Connection) -> None:
    """Run the migrations on the connection, in its transaction if there is one."""
    context.configure(
        connection=connection,
        target_metadata=Record.metadata,
        include_name=include_name,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


if (given := context.config.attributes.get("connection")) is not None:
    run(given)
else:
    with make_engine(settings()).begin() as own:
        run(own)
