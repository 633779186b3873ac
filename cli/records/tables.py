"""Read the rows of a table, whose name is checked against the models, and format their values."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from cli.env_vars import required

TableName = Annotated[str, typer.Argument(help="A table, such as prediction_logs or model_deployments.")]
Columns = Annotated[str | None, typer.Option(help="Column names separated by commas. Default: all.")]


@contextmanager
def reading(table: str, columns: str | None) -> Iterator[tuple[int, Iterator[dict[str, Any]]]]:
    """Open a transaction and yield the number of rows and the rows, in the order of the key."""
    from sentiment.database.session import DatabaseSettings, make_engine, transaction
    from sentiment.database.tables import count_rows, rows_of
    from sentiment.settings import read_settings

    required("DATABASE_HOST", "the Postgres to read")
    engine = make_engine(read_settings(DatabaseSettings))
    names = [name.strip() for name in columns.split(",")] if columns else None
    try:
        with transaction(engine) as session:
            rows = rows_of(session, table, columns=names)
            yield count_rows(session, table), rows
    finally:
        engine.dispose()


def as_text(value: Any) -> str:
    """Return a value as text: empty for NULL, JSON for lists and objects."""
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
