"""`python -m training train|search|evaluate`: the same commands as `sentiment`'s, alone.

Errors are one line; exit codes are those of `training.errors`.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console

from training import commands
from training.errors import TrainingError
from training.options import EVALUATE, SEARCH, TRAIN, Option, run_default
from training.progress import RichProgress

_TRAIN_EXAMPLES = """examples:
  python -m training train --quick
  python -m training train --data reviews.csv --text-column body --label-column stars
  python -m training train --data stanfordnlp/imdb --model distilbert-base-uncased --learning-rate 3e-5
  python -m training train --quick --extra-data feedback.jsonl
  python -m training train --quick --resume          continue a run that was stopped

exit codes: 0 published, 1 bug, 2 data or option invalid, 3 gate not passed, 4 model unusable, 5 disk full"""
_SEARCH_EXAMPLES = """examples:
  python -m training search --trials 20 --quick
  python -m training search --trials 40 --quick      add 20 to those; also continues a stopped search
  python -m training search --trials 20 --epochs 1   options that are set are not varied
  python -m training search --trials 40 --workers 4  processes that share one study
  python -m training search --trials 20 --pareto     accuracy against latency
  python -m training train --parameters artifacts/searches/<study>/best.json

exit codes: 0 found, 1 bug, 2 data or option invalid, 4 model unusable, 5 disk full"""
_EVALUATE_EXAMPLES = """examples:
  python -m training evaluate
  python -m training evaluate --model artifacts/models/20261125-da8cdb52 --page /tmp/page.html"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    options = vars(_parser().parse_args(arguments))
    run = {"train": commands.train, "search": commands.search, "evaluate": commands.evaluate}[
        options.pop("command")
    ]
    debug = options.pop("debug")
    console = Console(stderr=True)
    try:
        with RichProgress(console) as progress:
            lines = run(options, progress)
    except TrainingError as error:
        if debug:
            raise
        console.print(f"[red]error:[/] {type(error).__name__}:", end=" ")
        console.print(str(error), markup=False, highlight=False, soft_wrap=True)
        return error.exit_code
    except KeyboardInterrupt:
        console.print(
            "stopped; `train --resume` continues from the last finished epoch, a search continues by itself"
        )
        return 130
    print("\n".join(lines))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    subcommands = parser.add_subparsers(dest="command", required=True)
    for name, purpose, options, examples in (
        ("train", "train, export, publish and register a model", TRAIN, _TRAIN_EXAMPLES),
        ("search", "search the parameters to train with", SEARCH, _SEARCH_EXAMPLES),
        ("evaluate", "measure a published model on its held-out rows", EVALUATE, _EVALUATE_EXAMPLES),
    ):
        subcommand = subcommands.add_parser(
            name, help=purpose, epilog=examples, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        subcommand.add_argument("--debug", action="store_true", help="show the traceback of an error")
        _add(subcommand, options)
    return parser


def _add(parser: argparse.ArgumentParser, options: Sequence[Option]) -> None:
    groups: dict[str | None, argparse._ArgumentGroup | argparse.ArgumentParser] = {None: parser}
    for option in options:
        if option.group not in groups:
            groups[option.group] = parser.add_argument_group(str(option.group).lower())
        groups[option.group].add_argument(option.flag, *option.aliases, **_settings(option))


def _settings(option: Option) -> dict[str, Any]:
    """Return how argparse reads the option."""
    settings: dict[str, Any] = {"default": option.default, "help": option.help}
    shown = option.default if option.default is not None else run_default(option.name)
    if shown is not None and shown is not False:
        settings["help"] += f" (default: {'on' if shown is True else shown})"
    if option.kind == "flag":
        return settings | {"action": "store_true"}
    if option.kind == "switch":
        return settings | {"action": argparse.BooleanOptionalAction}
    if option.kind == "values":
        settings["action"] = "append"
    return settings | {"type": option.type, "metavar": option.metavar}


if __name__ == "__main__":
    sys.exit(main())
