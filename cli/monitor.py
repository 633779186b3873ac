"""`sentiment monitor`: how the system is doing, live in a terminal, or once for scripts and machines."""

import json
import os
import time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.live import Live

if TYPE_CHECKING:
    from cli.snapshot import Snapshot, Source

LOCAL = "http://localhost:8000"
CODES = {"calm": 0, "unreachable": 1, "warning": 5, "critical": 6}


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        epilog="Examples: [bold]sentiment monitor[/] | [bold]sentiment monitor --once --json[/] | "
        "[bold]sentiment monitor --url https://… --token …[/]. Exit codes of --once, --json: 0 calm; 1 not "
        "reachable; 5 an open warning; 6 an open critical alert, or one of a monitor that cannot judge. "
        "Without --url it asks the database that DATABASE_HOST names, as of a running local system, or else "
        f"{LOCAL}."
    )(monitor)


def monitor(
    url: Annotated[
        str | None,
        typer.Option(envvar="SENTIMENT_URL", help="Address of a system's API.", show_default=False),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="SENTIMENT_TOKEN", help="For systems that ask who reads reports.", show_default=False
        ),
    ] = None,
    hours: Annotated[int, typer.Option(min=1, max=744, help="How far back it looks.")] = 24,
    refresh: Annotated[float, typer.Option(min=1, help="Seconds between looks.")] = 5.0,
    once: Annotated[bool, typer.Option("--once", help="Print and exit with a status.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one object for machines and exit.")] = False,
    timeout_seconds: Annotated[float, typer.Option(min=0.1, help="How long to wait for an answer.")] = 10.0,
) -> None:
    """Show traffic, errors, latency, mix, confidence, accuracy, queue, drift and open alerts."""
    from cli.snapshot import Database, Http

    source: Source
    if url is None and os.environ.get("DATABASE_HOST"):
        source = Database()
    else:
        source = Http(url or LOCAL, token=token, timeout_seconds=timeout_seconds)
    if once or as_json:
        raise typer.Exit(CODES[print_once(source, hours, as_json=as_json)])
    watch(source, hours, refresh)


def print_once(source: "Source", hours: int, *, as_json: bool) -> str:
    """Print what is known now, to standard output also when it is nothing, and return the status."""
    from cli.monitor_page import show
    from cli.snapshot import UnreachableError, take_snapshot

    console = Console()
    try:
        snapshot = take_snapshot(source, hours=hours)
    except UnreachableError as error:
        if as_json:
            print(json.dumps({"status": "unreachable", "source": source.name, "reason": str(error)}))
        else:
            console.print(str(error), style="bold red", markup=False, highlight=False, soft_wrap=True)
        return "unreachable"
    if as_json:
        print(json.dumps(snapshot.figures()))
    else:
        console.print(show(snapshot))
    return snapshot.status


def watch(source: "Source", hours: int, refresh: float) -> None:
    """Show it until Ctrl-C; when the source goes away, say so above what was known last, and go on."""
    from cli.monitor_page import show
    from cli.snapshot import UnreachableError, take_snapshot

    console = Console()
    last: Snapshot | None = None
    with Live(show(None), console=console, screen=console.is_terminal, auto_refresh=False) as live:
        try:
            while True:
                try:
                    last = take_snapshot(source, hours=hours)
                    live.update(show(last), refresh=True)
                except UnreachableError as error:
                    live.update(show(last, problem=str(error)), refresh=True)
                time.sleep(refresh)
        except KeyboardInterrupt:
            return
