"""`sentiment`: the one command for people. Thin: every command calls the part that does the work.

Whatever takes long to import is imported by the command that needs it, so that help answers at once.

Exit codes: 0 done; 1 an error that the message says how to mend; 2 wrong usage or unusable data; 3 no export
passed the gate; 4 the model cannot be used; 5 an open warning, 6 an open critical alert (monitor --once);
7 the candidate may be worse (promote); 130 stopped by Ctrl-C, 143 by a termination signal.
"""

import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from sentiment.exceptions import SentimentError

from cli import (
    audit,
    clean,
    cost,
    data,
    deployments,
    doctor,
    drift,
    feedback,
    monitor,
    promote,
    queues,
    system,
    train,
)
from cli.environment import DEFAULT_FILE, load_environment

EXIT_CODES = __doc__.split("\n\n")[-1].replace("\n", " ") if __doc__ else ""

MODULES = (
    doctor,
    train,
    promote,
    system,
    monitor,
    drift,
    queues,
    data,
    audit,
    feedback,
    deployments,
    cost,
    clean,
)


def make_app() -> typer.Typer:
    """Make the command line with the commands of all modules, without running any."""
    made = typer.Typer(
        name="sentiment",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        epilog=EXIT_CODES,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for module in MODULES:
        module.add_to(made)
    return made


app = make_app()


@app.callback()
def _global_options(
    env_file: Annotated[
        Path | None,
        typer.Option(
            help=f"File with variables. Default: .env, and {DEFAULT_FILE} of a running local system for "
            "commands that need a queue or database and find none set.",
            show_default=False,
        ),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Train a text classifier, serve it on Lambda, keep every prediction; all of it on a laptop first."""
    load_environment(env_file)


def main() -> NoReturn:
    """Run the command line: errors become one line on standard error and the exit code."""
    signal.signal(signal.SIGTERM, _terminate)  # so that what was started is stopped in order
    try:
        app()  # ends the process itself, also on wrong usage and on Ctrl-C
    except Exception as error:
        code = exit_code(error)
        if code is None or "--debug" in sys.argv:
            raise
        console = Console(stderr=True)
        console.print("[bold red]error:[/] ", end="")
        console.print(str(error), markup=False, highlight=False, soft_wrap=True)
        sys.exit(code)
    sys.exit(0)


def exit_code(error: Exception) -> int | None:
    """Return the exit code of an error that was raised on purpose, None of a bug."""
    if isinstance(error, SentimentError):
        return 1
    errors = sys.modules.get("training.errors")  # not imported, not raised
    if errors is not None and isinstance(error, errors.TrainingError):
        return int(error.exit_code)
    return None


def _terminate(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)
