"""`sentiment demo`: train, serve, store and monitor, with a report of what was measured."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        epilog="Example: [bold]sentiment demo[/]. Takes up to 12 minutes the first time on two cores, 4 of "
        "them for training, and about one when the model is up to date. Exit code 1 when a check fails."
    )(demo)


def demo(
    artifacts: Annotated[
        Path, typer.Option(help="Folder with the model; the report is written to demo/ in it.")
    ] = Path("artifacts"),
    reviews: Annotated[int, typer.Option(min=10, help="Held-out reviews to send one by one.")] = 200,
) -> None:
    """Train on real reviews, serve held-out ones through the Lambda runtime, prove that all are stored."""
    from local.demo.demo import run_demo
    from local.settings import local_settings

    # The original standard output: for handlers that run in this process it is redirected to their logs.
    run_demo(local_settings(), Console(file=sys.stdout), artifacts=artifacts, singles=reviews)
