"""`sentiment evaluate`: measure a published model on its held-out rows and write the page about it."""

from typing import Any

import typer
from rich.console import Console

from cli.training.options import CommandWithOptions, with_options
from training.options import EVALUATE


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        cls=CommandWithOptions,
        epilog="Examples: [bold]sentiment evaluate[/] | "
        "[bold]sentiment evaluate --model artifacts/models/20261125-da8cdb52 --page /tmp/page.html[/]. "
        "Exit code: 4 model unusable.",
    )(with_options(evaluate, EVALUATE))


def evaluate(**options: Any) -> None:
    """Measure a published model on its held-out rows: calibration, slices, mistakes and robustness."""
    from cli.training.train import show
    from training import commands
    from training.progress import RichProgress

    with RichProgress(Console(stderr=True)) as progress:
        lines = commands.evaluate(options, progress)
    show(lines)
