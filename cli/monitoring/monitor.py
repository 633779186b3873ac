"""`sentiment monitor`: the state of a system, live in a terminal, or once for scripts."""

import json
import os
import time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.live import Live

if TYPE_CHECKING:
    from cli.monitoring.reports_client import Reports
    from cli.monitoring.snapshot import Snapshot

LOCAL_URL = "http://localhost:8000"
EXIT_CODES = {"calm": 0, "unreachable": 1, "warning": 5, "critical": 6}


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        epilog="Examples: [bold]sentiment monitor[/] | [bold]sentiment monitor --once --json[/] | "
        "[bold]sentiment monitor --url https://… --token …[/]. Exit codes of --once, --json: 0 calm; 1 not "
        "reachable; 5 an open warning; 6 an open critical alert, or the drift monitor cannot judge. Without "
        "--url it reads the database in DATABASE_HOST, such as that of a running local system, or else "
        f"{LOCAL_URL}."
    )(monitor)


def monitor(
    url: Annotated[
        str | None,
        typer.Option(envvar="SENTIMENT_URL", help="Address of a running system.", show_default=False),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="SENTIMENT_TOKEN", help="Token, if reports require authentication.", show_default=False
        ),
    ] = None,
    hours: Annotated[int, typer.Option(min=1, max=744, help="Length of the window.")] = 24,
    refresh: Annotated[float, typer.Option(min=1, help="Seconds between updates.")] = 5.0,
    once: Annotated[bool, typer.Option("--once", help="Print once and exit with a status code.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and exit.")] = False,
    timeout_seconds: Annotated[float, typer.Option(min=0.1, help="Time to wait for a response.")] = 10.0,
) -> None:
    """Show traffic, errors, latency, label mix, confidence, accuracy, queue, drift and open alerts."""
    from cli.monitoring.reports_client import DatabaseReports, HttpReports

    reports: Reports
    if url is None and os.environ.get("DATABASE_HOST"):
        reports = DatabaseReports()
    else:
        reports = HttpReports(url or LOCAL_URL, token=token, timeout_seconds=timeout_seconds)
    if once or as_json:
        raise typer.Exit(EXIT_CODES[print_once(reports, hours, as_json=as_json)])
    show_live(reports, hours, refresh)


def print_once(reports: "Reports", hours: int, *, as_json: bool) -> str:
    """Print the current state, or why it is unknown, to standard output; return the status."""
    from cli.monitoring.reports_client import UnreachableError
    from cli.monitoring.snapshot import take_snapshot
    from cli.monitoring.view import render

    console = Console()
    try:
        snapshot = take_snapshot(reports, hours=hours)
    except UnreachableError as error:
        if as_json:
            print(json.dumps({"status": "unreachable", "source": reports.name, "reason": str(error)}))
        else:
            console.print(str(error), style="bold red", markup=False, highlight=False, soft_wrap=True)
        return "unreachable"
    if as_json:
        print(json.dumps(snapshot.as_dict()))
    else:
        console.print(render(snapshot))
    return snapshot.status


def show_live(reports: "Reports", hours: int, refresh: float) -> None:
    """Show the state until Ctrl-C; while the system is unreachable, show the error above the last values."""
    from cli.monitoring.reports_client import UnreachableError
    from cli.monitoring.snapshot import take_snapshot
    from cli.monitoring.view import render

    console = Console()
    last: Snapshot | None = None
    with Live(render(None), console=console, screen=console.is_terminal, auto_refresh=False) as live:
        try:
            while True:
                try:
                    last = take_snapshot(reports, hours=hours)
                    live.update(render(last), refresh=True)
                except UnreachableError as error:
                    live.update(render(last, error=str(error)), refresh=True)
                time.sleep(refresh)
        except KeyboardInterrupt:
            return
