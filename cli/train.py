"""`sentiment train`: the options of a training run, as `training.config` defines and checks them.

With `--on aws` the same options start the state machine of an environment: see `cli.train_on_aws`.
"""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

if TYPE_CHECKING:
    from training.export.artifact import Artifact

DATA, MODEL, RECIPE, RUNNING, CLOUD = "Data", "Model", "Recipe", "Running", "On AWS"


class Place(StrEnum):
    """Where a run happens."""

    HERE = "here"
    AWS = "aws"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        epilog="Examples: [bold]sentiment train --quick[/] | "
        "[bold]sentiment train --data reviews.csv --text-column body --label-column stars[/] | "
        "[bold]sentiment train --data stanfordnlp/imdb --model distilbert-base-uncased[/] | "
        "[bold]sentiment train --quick --resume[/] | "
        "[bold]sentiment train --on aws --env dev --data reviews.csv --trials 10[/]. "
        "Exit codes: 2 data or option unusable, 3 gate not passed, 4 model unusable, 5 disk full."
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
    streaming: Annotated[
        bool,
        typer.Option("--streaming", help="For a file that does not fit into memory.", rich_help_panel=DATA),
    ] = False,
    extra_data: Annotated[
        list[Path] | None,
        typer.Option(
            help="More rows to train on, such as `sentiment export-feedback` writes; can be given again.",
            rich_help_panel=DATA,
        ),
    ] = None,
    source_weights: Annotated[
        str | None,
        typer.Option(
            help="Of a source's rows in the loss, such as feedback.jsonl=2; others weigh 1.",
            rich_help_panel=DATA,
        ),
    ] = None,
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
    student_layers: Annotated[
        int | None,
        typer.Option(help="Distil the model into so many of its layers.", rich_help_panel=MODEL),
    ] = None,
    teacher: Annotated[
        str | None,
        typer.Option(
            help="Folder of a fine-tuned classifier to distil; else it is made first.", rich_help_panel=MODEL
        ),
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
    layer_decay: Annotated[
        float | None,
        typer.Option(help="Of the rate, for each layer away from the head; 1: none.", rich_help_panel=RECIPE),
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Of the learning rate: linear or cosine.", rich_help_panel=RECIPE)
    ] = None,
    warmup: Annotated[
        float | None, typer.Option(help="Share of the steps until it is reached.", rich_help_panel=RECIPE)
    ] = None,
    weight_decay: Annotated[
        float | None, typer.Option(help="Pull of the weights to zero.", rich_help_panel=RECIPE)
    ] = None,
    label_smoothing: Annotated[
        float | None, typer.Option(help="Share taken from the given label.", rich_help_panel=RECIPE)
    ] = None,
    dropout: Annotated[
        float | None, typer.Option(help="Every dropout rate of the model.", rich_help_panel=RECIPE)
    ] = None,
    frozen_layers: Annotated[
        int | None,
        typer.Option(help="Layers that are not trained, from the input.", rich_help_panel=RECIPE),
    ] = None,
    freeze_embeddings: Annotated[
        bool | None, typer.Option(help="Do not train the word embeddings.", rich_help_panel=RECIPE)
    ] = None,
    length_grouped: Annotated[
        bool | None,
        typer.Option(help="Batches of texts of like length, less padding.", rich_help_panel=RECIPE),
    ] = None,
    gradient_checkpointing: Annotated[
        bool | None, typer.Option(help="Less memory, more time.", rich_help_panel=RECIPE)
    ] = None,
    torch_compile: Annotated[
        bool | None,
        typer.Option(help="Compile the model first, which takes a minute.", rich_help_panel=RECIPE),
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
    cache: Annotated[
        Path | None,
        typer.Option(help="Folder for tokens, which can be removed.", rich_help_panel=RUNNING),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last finished epoch.", rich_help_panel=RUNNING)
    ] = False,
    parameters: Annotated[
        Path | None,
        typer.Option(help="best.json of `python -m training search`.", rich_help_panel=RUNNING),
    ] = None,
    on: Annotated[Place, typer.Option(help="Where to train.", rich_help_panel=CLOUD)] = Place.HERE,
    env: Annotated[
        str, typer.Option(help="Environment whose state machine trains.", rich_help_panel=CLOUD)
    ] = ("dev"),
    trials: Annotated[
        int | None,
        typer.Option(
            help="Of the search; 0: none. Default: the state machine's.", min=0, rich_help_panel=CLOUD
        ),
    ] = None,
    follow: Annotated[
        str | None, typer.Option(help="ARN of a started execution to follow.", rich_help_panel=CLOUD)
    ] = None,
) -> None:
    """Train, export to int8, publish and register a model. Options not given have the run's own defaults."""
    of_aws = {"on", "env", "trials", "follow"}
    options = {name: value for name, value in locals().items() if name not in {"of_aws", *of_aws}}
    options["labels"] = tuple(name.strip() for name in labels.split(",")) if labels else None
    options["drop_bad_rows"] = drop_bad_rows or None
    options["streaming"] = streaming or None
    options["extra_data"] = tuple(extra_data) if extra_data else None
    options["resume"] = resume or None
    if parameters is not None:
        from training.search.space import read_best

        options["parameters"] = read_best(parameters, model or "embedded")
    if on is Place.HERE:
        if trials is not None or follow is not None:
            raise typer.BadParameter("--trials and --follow are for --on aws")
        _show(_train_here(options), artifacts)
    else:
        from cli.train_on_aws import train_on_aws

        _show(train_on_aws(options, env, trials, follow), artifacts)


def _train_here(options: dict[str, Any]) -> "Artifact":
    from training.config import configure
    from training.pipeline import run
    from training.progress import RichProgress

    with RichProgress(Console(stderr=True)) as progress:
        return run(configure(**options), progress)


def _show(artifact: "Artifact", artifacts: Path) -> None:
    from training.export.artifact import champion_of

    console, metrics = Console(), artifact.card["metrics"]
    console.print(f"{artifact.folder}", highlight=False, soft_wrap=True)
    console.print(
        f"accuracy on {metrics['rows']:,} held-out rows: int8 {metrics['int8']['accuracy']:.1%}, "
        f"fp32 {metrics['fp32']['accuracy']:.1%}; decisions flipped: {metrics['flipped']:.1%}",
        highlight=False,
    )
    champion = champion_of(artifacts)
    if champion != artifact.card["model_version"]:
        console.print(
            f"a candidate: {champion} goes on serving until `sentiment promote` has compared the two",
            highlight=False,
            soft_wrap=True,
        )
