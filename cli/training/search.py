"""`sentiment search`: find the parameters to train with; `sentiment train --parameters` takes them."""

from typing import Any

import typer
from rich.console import Console

from cli.training.options import CommandWithOptions, with_options
from training.options import SEARCH


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        cls=CommandWithOptions,
        epilog="Examples: [bold]sentiment search --trials 20 --quick[/] | "
        "[bold]sentiment search --trials 40 --quick --workers 2[/] (20 more, by two processes) | "
        "[bold]sentiment search --trials 20 --pareto[/] (accuracy against latency) | "
        "[bold]sentiment train --parameters artifacts/searches/<study>/best.json[/]. "
        "Exit codes: 2 data or option invalid, 4 model unusable, 5 disk full.",
    )(with_options(search, SEARCH))


def search(**options: Any) -> None:
    """Search the parameters to train with. Options that you set are not varied; run it again to continue."""
    from cli.training.train import show
    from training import commands
    from training.progress import RichProgress

    with RichProgress(Console(stderr=True)) as progress:
        lines = commands.search(options, progress)
    show(lines)
