"""`sentiment export`: write all rows of a table to a file."""

import csv
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track
from sentiment.exceptions import ConfigurationError, InvalidInputError

from cli.records.tables import Columns, TableName, as_text, reading


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(epilog="Example: [bold]sentiment export prediction_logs --to predictions.csv[/]")(export)


def export(
    table: TableName,
    to: Annotated[
        Path, typer.Option(help="A .csv or .jsonl file, replaced only after all rows are written.")
    ],
    columns: Columns = None,
) -> None:
    """Write all rows of a table to a file."""
    if to.suffix not in (".csv", ".jsonl"):
        raise InvalidInputError(f"{to}: the file name must end in .csv or .jsonl")
    if not to.parent.is_dir():
        raise ConfigurationError(f"{to.parent} is not a folder")
    partial = to.with_name(f".{to.name}.partial")
    try:
        with (
            reading(table, columns) as (total, rows),
            partial.open("w", newline="", encoding="utf-8") as file,
        ):
            tracked = track(
                rows, f"rows of {table}", total=total, console=Console(stderr=True), transient=True
            )
            count = _write_csv(file, tracked) if to.suffix == ".csv" else _write_jsonl(file, tracked)
        partial.replace(to)
    finally:
        partial.unlink(missing_ok=True)
    Console().print(f"{count} rows written to {to}", highlight=False, soft_wrap=True)


def _write_csv(file: Any, rows: Any) -> int:
    count = 0
    writer = csv.writer(file)
    for count, row in enumerate(rows, start=1):
        if count == 1:
            writer.writerow(row)
        writer.writerow(map(as_text, row.values()))
    return count


def _write_jsonl(file: Any, rows: Any) -> int:
    count = 0
    for count, row in enumerate(rows, start=1):  # noqa: B007 - the last one is the result
        file.write(json.dumps(row, default=str, ensure_ascii=False) + "\n")
    return count
