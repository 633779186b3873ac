"""`sentiment rows` and `export`: read what is stored. Tables are checked against the models."""

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text
from sentiment.exceptions import ConfigurationError, InvalidInputError

from cli.environment import needed

TableName = Annotated[str, typer.Argument(help="Such as prediction_logs or model_deployments.")]
Columns = Annotated[str | None, typer.Option(help="Names separated by commas; default: all.")]


NARROWEST_COLUMN = 12  # characters; with less for each, every row is shown as lines of its own


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(
        epilog="Examples: [bold]sentiment rows prediction_logs[/] | "
        "[bold]sentiment rows model_deployments --columns model_version,is_active --limit 5[/]"
    )(rows)
    app.command(epilog="Example: [bold]sentiment export prediction_logs --to predictions.csv[/]")(export)


def rows(
    table: TableName,
    columns: Columns = None,
    limit: Annotated[int, typer.Option(min=1, help="Rows at most, in the order of the key.")] = 20,
) -> None:
    """Show rows of a table."""
    with _reading(table, columns) as (_, found):
        shown = list(islice(found, limit))
    if not shown:
        Console().print(f"{table} is empty")
        return
    console = Console()
    if len(shown[0]) * NARROWEST_COLUMN > console.width:
        for row in shown:
            console.rule(style="dim")
            console.print(_record(row))
        return
    output = Table()
    for name in shown[0]:
        output.add_column(name, overflow="ellipsis", no_wrap=True)
    for row in shown:
        output.add_row(*(Text(_brief(value)) for value in row.values()))
    console.print(output)


def export(
    table: TableName,
    to: Annotated[Path, typer.Option(help="A .csv or .jsonl file; replaced only when all rows are written.")],
    columns: Columns = None,
) -> None:
    """Write all rows of a table to a file."""
    if to.suffix not in (".csv", ".jsonl"):
        raise InvalidInputError(f"{to}: the name should end in .csv or .jsonl")
    if not to.parent.is_dir():
        raise ConfigurationError(f"{to.parent} is not a folder")
    partial = to.with_name(f".{to.name}.partial")
    try:
        with (
            _reading(table, columns) as (total, found),
            partial.open("w", newline="", encoding="utf-8") as file,
        ):
            lines = track(
                found, f"rows of {table}", total=total, console=Console(stderr=True), transient=True
            )
            count = _write_csv(file, lines) if to.suffix == ".csv" else _write_jsonl(file, lines)
        partial.replace(to)
    finally:
        partial.unlink(missing_ok=True)
    Console().print(f"{count} rows written to {to}", highlight=False, soft_wrap=True)


def _record(row: dict[str, Any]) -> Table:
    """Lay out one row as a line for each column."""
    lines = Table.grid(padding=(0, 2))
    lines.add_column(style="bold")
    lines.add_column(overflow="ellipsis", no_wrap=True)
    for name, value in row.items():
        lines.add_row(name, Text(_brief(value)))
    return lines


@contextmanager
def _reading(table: str, columns: str | None) -> Iterator[tuple[int, Iterator[dict[str, Any]]]]:
    """Open a transaction and yield the number of rows and the rows themselves."""
    from sentiment.database.session import DatabaseSettings, make_engine, transaction
    from sentiment.database.tables import count_rows, rows_of
    from sentiment.settings import read_settings

    needed("DATABASE_HOST", "the Postgres to read")
    engine = make_engine(read_settings(DatabaseSettings))
    names = [name.strip() for name in columns.split(",")] if columns else None
    try:
        with transaction(engine) as session:
            found = rows_of(session, table, columns=names)
            yield count_rows(session, table), found
    finally:
        engine.dispose()


def _write_csv(file: Any, lines: Any) -> int:
    count = 0
    writer = csv.writer(file)
    for count, row in enumerate(lines, start=1):
        if count == 1:
            writer.writerow(row)
        writer.writerow(map(_plain, row.values()))
    return count


def _write_jsonl(file: Any, lines: Any) -> int:
    count = 0
    for count, row in enumerate(lines, start=1):  # noqa: B007 - the last one is the result
        file.write(json.dumps(row, default=str, ensure_ascii=False) + "\n")
    return count


def _brief(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else " ".join(_plain(value).split())[:60]


def _plain(value: Any) -> str:
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
