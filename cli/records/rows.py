"""`sentiment rows`: show rows of a table."""

from itertools import islice
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.records.tables import Columns, TableName, as_text, reading

MINIMUM_COLUMN_CHARACTERS = 12  # in a narrower terminal, each row is shown as one line per column


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        epilog="Examples: [bold]sentiment rows prediction_logs[/] | "
        "[bold]sentiment rows model_deployments --columns model_version,is_active --limit 5[/]"
    )(rows)


def rows(
    table: TableName,
    columns: Columns = None,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of rows, in the order of the key.")] = 20,
) -> None:
    """Show rows of a table."""
    with reading(table, columns) as (_, all_rows):
        shown = list(islice(all_rows, limit))
    if not shown:
        Console().print(f"{table} is empty")
        return
    console = Console()
    if len(shown[0]) * MINIMUM_COLUMN_CHARACTERS > console.width:
        for row in shown:
            console.rule(style="dim")
            console.print(_vertical(row))
        return
    output = Table()
    for name in shown[0]:
        output.add_column(name, overflow="ellipsis", no_wrap=True)
    for row in shown:
        output.add_row(*(Text(_shorten(value)) for value in row.values()))
    console.print(output)


def _vertical(row: dict[str, Any]) -> Table:
    """Return a row as one line per column."""
    lines = Table.grid(padding=(0, 2))
    lines.add_column(style="bold")
    lines.add_column(overflow="ellipsis", no_wrap=True)
    for name, value in row.items():
        lines.add_row(name, Text(_shorten(value)))
    return lines


def _shorten(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else " ".join(as_text(value).split())[:60]
