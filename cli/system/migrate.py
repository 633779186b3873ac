"""`sentiment migrate`: the migrations function on the configured database."""

from typing import Annotated

import typer
from rich.console import Console

from cdk.function_config import MIGRATIONS


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(epilog="Examples: [bold]sentiment migrate[/] | [bold]sentiment migrate --down-to base[/]")(
        migrate
    )


def migrate(
    down_to: Annotated[
        str | None, typer.Option(help="Downgrade to this revision; base drops all tables and rows.")
    ] = None,
) -> None:
    """Upgrade the configured database to the newest schema, and create its partitions."""
    from functions.migrations.handler import handler
    from local.stand_ins.in_process import call_in_process

    if down_to == "base":
        typer.confirm("This drops every table with all stored data. Continue?", abort=True)
    event = {"action": "downgrade", "revision": down_to} if down_to else {"action": "upgrade"}
    result = call_in_process(handler, event, timeout_seconds=MIGRATIONS.timeout_seconds)
    Console().print_json(data=result)
