"""`sentiment train`: a training run, here or, with `--on aws`, by the state machine of an environment."""

from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console

from cli.training.options import CommandWithOptions, with_options
from training.options import TRAIN

CLOUD = "On AWS"


class Place(StrEnum):
    """Where a run happens."""

    HERE = "here"
    AWS = "aws"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        cls=CommandWithOptions,
        epilog="Examples: [bold]sentiment train --quick[/] | "
        "[bold]sentiment train --data reviews.csv --text-column body --label-column stars[/] | "
        "[bold]sentiment train --data stanfordnlp/imdb --model distilbert-base-uncased[/] | "
        "[bold]sentiment train --quick --resume[/] | "
        "[bold]sentiment train --on aws --env dev --data reviews.csv --trials 10[/]. "
        "Exit codes: 2 data or option invalid, 3 gate not passed, 4 model unusable, 5 disk full.",
    )(with_options(train, TRAIN))


def train(
    *,
    on: Annotated[Place, typer.Option(help="Where to train.", rich_help_panel=CLOUD)] = Place.HERE,
    env: Annotated[
        str, typer.Option(help="Environment whose state machine trains.", rich_help_panel=CLOUD)
    ] = "dev",
    trials: Annotated[
        int | None,
        typer.Option(
            help="Trials of the search; 0: no search. Default: the state machine's.",
            min=0,
            rich_help_panel=CLOUD,
        ),
    ] = None,
    follow: Annotated[
        str | None, typer.Option(help="ARN of a started execution to follow.", rich_help_panel=CLOUD)
    ] = None,
    **options: Any,
) -> None:
    """Train, export to int8, publish and register a model."""
    if on is Place.AWS:
        from cli.training.train_on_aws import train_on_aws

        show(train_on_aws(options, env, trials, follow))
        return
    if trials is not None or follow is not None:
        raise typer.BadParameter("--trials and --follow are for --on aws")
    from training import commands
    from training.progress import RichProgress

    with RichProgress(Console(stderr=True)) as progress:
        lines = commands.train(options, progress)
    show(lines)


def show(lines: list[str]) -> None:
    """Print what a command of `training.commands` returned."""
    console = Console()
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
