"""`python -m training train|search|evaluate …`: publish a classifier, find what to train it with, measure it.

Errors are one line.

Exit codes are those of `training.errors`.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from training.config import TrainingConfig, configure
from training.data.prepare import prepare
from training.errors import TrainingError
from training.pipeline import run, summary
from training.progress import Progress, RichProgress

_EXAMPLES = """examples:
  python -m training train --quick
  python -m training train --data reviews.csv --text-column body --label-column stars
  python -m training train --data stanfordnlp/imdb --model distilbert-base-uncased --learning-rate 3e-5
  python -m training train --quick --extra-data feedback.jsonl
  python -m training train --quick --resume          go on with a run that was stopped

exit codes: 0 published, 1 bug, 2 data or option unusable, 3 gate not passed, 4 model unusable, 5 disk full"""
_SEARCH_EXAMPLES = """examples:
  python -m training search --trials 20 --quick
  python -m training search --trials 40 --quick      add 20 to those; a stopped search goes on likewise
  python -m training search --trials 20 --epochs 1   options that are given are not varied
  python -m training search --trials 40 --workers 4  processes that share one study
  python -m training search --trials 20 --pareto     accuracy against latency
  python -m training train --parameters artifacts/searches/<study>/best.json

exit codes: 0 found, 1 bug, 2 data or option unusable, 4 model unusable, 5 disk full"""


_EVALUATE_EXAMPLES = """examples:
  python -m training evaluate
  python -m training evaluate --model artifacts/models/20261125-da8cdb52 --page /tmp/page.html"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    options = vars(_parser().parse_args(arguments))
    command = {"train": _train, "search": _search, "evaluate": _evaluate}[options.pop("command")]
    debug = options.pop("debug")
    console = Console(stderr=True)
    try:
        with RichProgress(console) as progress:
            lines = command(options, progress)
    except TrainingError as error:
        if debug:
            raise
        console.print(f"[red]error:[/] {type(error).__name__}:", end=" ")
        console.print(str(error), markup=False, highlight=False, soft_wrap=True)
        return error.exit_code
    except KeyboardInterrupt:
        console.print(
            "stopped; train --resume goes on from the last finished epoch, search goes on by itself"
        )
        return 130
    print("\n".join(lines))
    return 0


def _train(options: dict[str, Any], progress: Progress) -> list[str]:
    found = options.pop("parameters")
    config = configure(**options)
    if found is not None:
        from training.search.space import read_best

        config = configure(**options, parameters=read_best(found, config.model))
    artifact = run(config, progress)
    metrics = artifact.card["metrics"]
    return [
        f"{artifact.folder}",
        f"accuracy on {metrics['rows']:,} held-out rows: int8 {metrics['int8']['accuracy']:.1%}, "
        f"fp32 {metrics['fp32']['accuracy']:.1%}; decisions flipped: {metrics['flipped']:.1%}",
    ]


def _search(options: dict[str, Any], progress: Progress) -> list[str]:
    from training.search.search import fixed_by, search, study_folder
    from training.search.trials import Plan, shown

    folder = options.pop("study")
    how = {name: options.pop(name) for name in ("trials", "workers", "pruner", "pareto", "storage")}
    plan = Plan(**how, fixed=frozenset(fixed_by(options)))
    config = configure(**options)
    progress("Reading the data")
    data = prepare(config)
    progress(f"Read {summary(data)}")
    from training.search.report import PAGE
    from training.search.space import BEST

    folder = folder or study_folder(config, data, plan)
    best = search(config, data, folder, plan, progress=progress)
    counts = ", ".join(f"{count} {state}" for state, count in best["trials"].items())
    return [
        f"{folder / BEST}",
        f"{folder / PAGE}",
        f"validation accuracy {best['value']:.1%} with {shown(best['parameters'])} (trials: {counts})",
    ]


def _evaluate(options: dict[str, Any], progress: Progress) -> list[str]:
    from training.evaluation.evaluate import evaluate
    from training.evaluation.page import write_page
    from training.evaluation.served import ServedModel, read_artifact

    progress("Evaluating")
    found = evaluate(ServedModel(read_artifact(options["model"].resolve()), progress))
    page = write_page(found, options["page"])
    figures = [
        f"{one.name} {one.value:.4g} ({one.interval[0]:.4g} to {one.interval[1]:.4g})"
        for one in found.figures
    ]
    changes = [f"{one.name}: accuracy {one.accuracy:.1%}, changed {one.changed:.1%}" for one in found.changes]
    return [f"{page}", *figures, *changes]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    train = _command(commands, "train", "train, export, publish and register a model", _EXAMPLES)
    running = _add_recipe(train)
    running.add_argument("--parameters", type=Path, metavar="BEST", help="best.json of a search")
    running.add_argument(
        "--resume", action="store_true", default=None, help="go on from the last finished epoch"
    )
    search = _command(commands, "search", "find the parameters to train with", _SEARCH_EXAMPLES)
    running = _add_recipe(search)
    running.add_argument("--trials", type=int, default=20, help="of the study in all (20)")
    running.add_argument("--workers", type=int, default=1, help="processes that share the study (1)")
    running.add_argument("--pruner", default="median", help="median or hyperband (median)")
    running.add_argument(
        "--pareto",
        action="store_true",
        help="accuracy against latency at the median length, unpruned",
    )
    running.add_argument(
        "--storage", metavar="URL", help="postgresql://… or sqlite:///… for workers on many machines"
    )
    running.add_argument("--study", type=Path, help="its folder (one for each search in artifacts/searches)")
    evaluate = _command(
        commands, "evaluate", "measure a published model on its held-out rows", _EVALUATE_EXAMPLES
    )
    evaluate.add_argument("--model", type=Path, default=Path("artifacts/model"), help="its folder")
    evaluate.add_argument("--page", type=Path, default=Path("evaluation.html"), help="file to write")
    return parser


def _command(commands: Any, name: str, purpose: str, examples: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=purpose, epilog=examples, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def _add_recipe(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add what describes a run; return the group for how it is run."""
    defaults = {name: field.default for name, field in TrainingConfig.model_fields.items()}

    data = parser.add_argument_group("data")
    data.add_argument("--data", help="embedded, a CSV, Parquet or JSONL file, a folder, or a hub data set")
    data.add_argument("--source", help="embedded reviews to use: imdb or rotten_tomatoes")
    data.add_argument("--subset", help="configuration name of a hub data set")
    data.add_argument("--split", help=f"split of a hub data set (default {defaults['split']})")
    data.add_argument("--test-split", help="its test split: auto, none or a name (default auto)")
    data.add_argument("--text-column", help=f"default {defaults['text_column']}")
    data.add_argument("--label-column", help=f"default {defaults['label_column']}")
    data.add_argument("--labels", type=_names, help="label names in order, separated by commas")
    data.add_argument(
        "--drop-bad-rows",
        action="store_true",
        default=None,
        help="leave out rows without text or with unknown labels, and count them, instead of stopping",
    )
    data.add_argument(
        "--streaming", action="store_true", default=None, help="for a file that does not fit into memory"
    )
    data.add_argument(
        "--extra-data",
        type=Path,
        action="append",
        metavar="FILE",
        help="more rows to train on, such as `sentiment export-feedback` writes; can be given again",
    )
    data.add_argument("--source-weights", metavar="NAME=WEIGHT,…", help="of a source's rows in the loss (1)")
    for part in ("train", "validation", "test"):
        data.add_argument(f"--{part}-rows", type=int, help=f"rows to {_USE[part]} at most")
    data.add_argument("--seed", type=int, help="of the split and of training (default 0)")

    model = parser.add_argument_group("model and recipe")
    model.add_argument("--quick", action="store_true", help="few reviews, minutes on two cores")
    model.add_argument("--model", help="embedded, a folder written by save_pretrained, or a hub model")
    model.add_argument("--max-length", type=int, help="tokens when evaluated and served, 8 to 512 (256)")
    model.add_argument("--train-max-length", type=int, help="tokens when training (the same)")
    model.add_argument("--truncation", help="auto (measured), head or head_tail")
    model.add_argument("--student-layers", type=int, help="distil the model into so many of its layers")
    model.add_argument("--teacher", help="folder of a fine-tuned classifier to distil; else it is made first")
    model.add_argument("--epochs", type=int)
    model.add_argument("--batch-size", type=int, help="texts per step and device")
    model.add_argument("--accumulation", type=int, help="batches whose gradients are added up per step")
    model.add_argument("--learning-rate", type=float)
    model.add_argument("--layer-decay", type=float, help="of the rate per layer away from the head (1: none)")
    model.add_argument("--scheduler", help="of the learning rate: linear or cosine")
    model.add_argument("--warmup", type=float, help="share of the steps until it is reached (0.1)")
    model.add_argument("--weight-decay", type=float, help="default 0.01")
    model.add_argument("--label-smoothing", type=float, help="default 0")
    model.add_argument("--dropout", type=float, help="every dropout rate of the model (its own)")
    model.add_argument("--frozen-layers", type=int, help="layers that are not trained, from the input (0)")
    for name, purpose in _SWITCHES.items():
        model.add_argument(f"--{name}", action=argparse.BooleanOptionalAction, default=None, help=purpose)
    model.add_argument("--precision", help="auto, fp32, bf16 or fp16")
    model.add_argument("--evaluate-every", type=int, help="steps between evaluations (500)")
    model.add_argument("--patience", type=int, help="evaluations without gain before stopping; 0: never stop")

    where = parser.add_argument_group("running")
    where.add_argument("--artifacts", "--output", type=Path, help="folder to publish in (artifacts)")
    where.add_argument("--cache", type=Path, help="folder for tokens, which can be removed (in artifacts)")
    return where


_SWITCHES = {
    "freeze-embeddings": "do not train the word embeddings",
    "length-grouped": "batches of texts of like length, which need less padding (on)",
    "gradient-checkpointing": "less memory, more time",
    "torch-compile": "compile the model first, which takes a minute",
}
_USE = {"train": "train on", "validation": "choose by", "test": "report on"}


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


if __name__ == "__main__":
    sys.exit(main())
