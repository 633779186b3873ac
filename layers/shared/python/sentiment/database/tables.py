"""Any table by its name: its row count and its rows, for exports and checks.

Functions take the caller's session and never commit.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Table, func, select
from sqlalchemy.orm import Session

from sentiment.database.models import Record
from sentiment.exceptions import UnknownNameError


def count_rows(session: Session, table_name: str) -> int:
    """Count the rows; raises UnknownNameError for a table that the models do not define."""
    return session.scalar(select(func.count()).select_from(table_named(table_name))) or 0


def rows_of(
    session: Session, table_name: str, *, columns: Sequence[str] | None = None, page_rows: int = 1000
) -> Iterator[dict[str, Any]]:
    """Yield a table's rows in key order, read in pages, with the given columns or all.

    Raises UnknownNameError before reading anything if the models do not define the table or a column.
    """
    table = table_named(table_name)
    if unknown := sorted(set(columns or ()) - set(table.columns.keys())):
        raise UnknownNameError(
            f"{table.name} has no column {unknown[0]!r}; its columns are {', '.join(table.columns.keys())}"
        )
    (key,) = table.primary_key
    selected = [table.columns[name] for name in columns] if columns is not None else list(table.columns)

    def pages(last: object = None) -> Iterator[dict[str, Any]]:
        while True:
            query = select(key.label("page_key"), *selected).order_by(key).limit(page_rows)
            rows = session.execute(query if last is None else query.where(key > last)).all()
            for row in rows:
                yield dict(zip((c.name for c in selected), row[1:], strict=True))
            if len(rows) < page_rows:
                return
            last = rows[-1][0]

    return pages()


def table_named(name: str) -> Table:
    """Return the table of that name; raises UnknownNameError if the models do not define it."""
    try:
        return Record.metadata.tables[name]
    except KeyError:
        tables = ", ".join(sorted(Record.metadata.tables))
        raise UnknownNameError(f"there is no table {name!r}; the tables are {tables}") from None
