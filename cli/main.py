"""The `sentiment` command line. Each command is a thin module that calls the code that does the work.

Slow imports are inside the commands that need them, so that --help is fast.

Exit codes: 0 success; 1 an error whose message says how to fix it; 2 invalid usage or data; 3 no export
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

from cli.aws import cost, deployments
from cli.env_vars import DEFAULT_FILE, load_environment
from cli.monitoring import drift_calibrate, monitor
from cli.records import audit, export, export_feedback, redrive, replay, rows
from cli.system import clean_data, demo, doctor, migrate, predict, up
from cli.training import evaluate, promote, rollback, search, train

EXIT_CODES = __doc__.split("\n\n")[-1].replace("\n", " ") if __doc__ else ""

# In the order in which --help lists them.
COMMANDS = (
    doctor,
    train,
    search,
    evaluate,
    promote,
    demo,
    up,
    predict,
    migrate,
    monitor,
    drift_calibrate,
    replay,
    redrive,
    rows,
    export,
    audit,
    export_feedback,
    deployments,
    rollback,
    cost,
    clean_data,
)


def make_app() -> typer.Typer:
    """Return the command line with all commands."""
    command_line = typer.Typer(
        name="sentiment",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        epilog=EXIT_CODES,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for command in COMMANDS:
        command.add_to(command_line)
    return command_line


app = make_app()


@app.callback()
def _global_options(
    env_file: Annotated[
        Path | None,
        typer.Option(
            help=f"File with variables. Default: .env, and {DEFAULT_FILE} of a running local system if no "
            "queue or database is configured.",
            show_default=False,
        ),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Train a text classifier, serve it on Lambda, store every prediction; first on your laptop."""
    load_environment(env_file)


def main() -> NoReturn:
    """Run the command line; an error is one line on standard error and an exit code."""
    signal.signal(signal.SIGTERM, _terminate)  # so that started processes are stopped in order
    try:
        app()  # exits itself, also on invalid usage and on Ctrl-C
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
    """Return the exit code of an expected error, None for a bug."""
    if isinstance(error, SentimentError):
        return 1
    errors = sys.modules.get("training.errors")  # if not imported, not raised
    if errors is not None and isinstance(error, errors.TrainingError):
        return int(error.exit_code)
    return None


def _terminate(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)
