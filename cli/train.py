"""`sentiment train`: the options of a training run, as `training.config` defines and checks them."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

DATA, MODEL, RECIPE, RUNNING = "Data", "Model", "Recipe", "Running"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        epilog="Examples: [bold]sentiment train --quick[/] | "
        "[bold]sentiment train --data reviews.csv --text-column body --label-column stars[/] | "
        "[bold]sentiment train --data stanfordnlp/imdb --model distilbert-base-uncased[/] | "
        "[bold]sentiment train --quick --resume[/]. "
        "Exit codes: 2 data or option unusable, 3 gate not passed, 4 model unusable."
    )(train)


def train(
    quick: Annotated[bool, typer.Option("--quick", help="4,000 reviews, minutes on two cores.")] = False,
    data: Annotated[
        str | None,
        typer.Option(
            help="embedded, a CSV, Parquet or JSONL file, a folder, or a hub data set.", rich_help_panel=DATA
        ),
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="Embedded reviews: imdb or rotten_tomatoes.", rich_help_panel=DATA)
    ] = None,
    subset: Annotated[
        str | None, typer.Option(help="Configuration name of a hub data set.", rich_help_panel=DATA)
    ] = None,
    split: Annotated[str | None, typer.Option(help="Split of a hub data set.", rich_help_panel=DATA)] = None,
    test_split: Annotated[
        str | None, typer.Option(help="Its test split: auto, none or a name.", rich_help_panel=DATA)
    ] = None,
    text_column: Annotated[
        str | None, typer.Option(help="Column with the texts.", rich_help_panel=DATA)
    ] = None,
    label_column: Annotated[
        str | None, typer.Option(help="Column with the labels.", rich_help_panel=DATA)
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="Label names in order, separated by commas.", rich_help_panel=DATA)
    ] = None,
    drop_bad_rows: Annotated[
        bool,
        typer.Option(
            "--drop-bad-rows",
            help="Leave out rows without text or with unknown labels, and count them, instead of stopping.",
            rich_help_panel=DATA,
        ),
    ] = False,
    train_rows: Annotated[
        int | None, typer.Option(help="Rows to train on at most.", rich_help_panel=DATA)
    ] = None,
    validation_rows: Annotated[
        int | None, typer.Option(help="Rows to choose by at most.", rich_help_panel=DATA)
    ] = None,
    test_rows: Annotated[
        int | None, typer.Option(help="Rows to report on at most.", rich_help_panel=DATA)
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of the split and of training.", rich_help_panel=DATA)
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="embedded, a folder of save_pretrained, or a hub model.", rich_help_panel=MODEL),
    ] = None,
    max_length: Annotated[
        int | None, typer.Option(help="Tokens when evaluated and served, 8 to 512.", rich_help_panel=MODEL)
    ] = None,
    train_max_length: Annotated[
        int | None, typer.Option(help="Tokens when training.", rich_help_panel=MODEL)
    ] = None,
    truncation: Annotated[
        str | None, typer.Option(help="auto (measured), head or head_tail.", rich_help_panel=MODEL)
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the rows.", rich_help_panel=RECIPE)] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Texts per step and device.", rich_help_panel=RECIPE)
    ] = None,
    accumulation: Annotated[
        int | None, typer.Option(help="Batches whose gradients make one step.", rich_help_panel=RECIPE)
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Largest step size, such as 3e-5.", rich_help_panel=RECIPE)
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="auto, fp32, bf16 or fp16.", rich_help_panel=RECIPE)
    ] = None,
    evaluate_every: Annotated[
        int | None, typer.Option(help="Steps between evaluations.", rich_help_panel=RECIPE)
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(help="Evaluations without gain before stopping; 0: never.", rich_help_panel=RECIPE),
    ] = None,
    artifacts: Annotated[Path, typer.Option(help="Folder to publish in.", rich_help_panel=RUNNING)] = Path(
        "artifacts"
    ),
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last finished epoch.", rich_help_panel=RUNNING)
    ] = False,
) -> None:
    """Train, export to int8, publish and register a model. Options not given have the run's own defaults."""
    options = dict(locals())
    options["labels"] = tuple(name.strip() for name in labels.split(",")) if labels else None
    options["drop_bad_rows"] = drop_bad_rows or None
    options["resume"] = resume or None

    from training.config import configure
    from training.pipeline import run
    from training.progress import RichProgress

    console = Console()
    with RichProgress(Console(stderr=True)) as progress:
        artifact = run(configure(**options), progress)
    metrics = artifact.card["metrics"]
    console.print(f"{artifact.folder}", highlight=False, soft_wrap=True)
    console.print(
        f"accuracy on {metrics['rows']:,} held-out rows: int8 {metrics['int8']['accuracy']:.1%}, "
        f"fp32 {metrics['fp32']['accuracy']:.1%}; decisions flipped: {metrics['flipped']:.1%}",
        highlight=False,
    )
