"""`sentiment drift run`: check for drift now, without waiting for the schedule.

Calls the drift monitor's handler in this process, with the configured database and topic. To run a deployed
drift monitor, invoke its function.
"""

from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console

from cdk.function_config import DRIFT_MONITOR
from cli.env_vars import required


def add_to(app: typer.Typer) -> None:
    """Register the command in the group `drift`."""
    app.command(
        "run",
        epilog="Examples: [bold]sentiment drift run[/] | [bold]sentiment drift run --json[/] | "
        "[bold]sentiment drift run --reconcile[/]. Exit code 0 with and without drift; alerts are sent as on "
        "schedule (for scripts, `sentiment monitor --once` has exit codes).",
    )(run)


def run(
    at: Annotated[
        datetime | None,
        typer.Option(help="End of the window (UTC). Default: now.", show_default=False),
    ] = None,
    reconcile: Annotated[
        bool, typer.Option("--reconcile", help="Compare served with stored predictions instead.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole result as JSON.")] = False,
) -> None:
    """Compare the last hours of traffic with the model's reference now; alerts are sent as on schedule."""
    required("DATABASE_HOST", "the Postgres with the predictions")
    required("ALERT_TOPIC_ARN", "the topic that alerts are published to")
    required("MODEL_DIR", "the artifact with the reference")
    from functions.drift_monitor.handler import handler
    from local.drift_summary import summarize_reconciliation, summarize_run
    from local.stand_ins.in_process import call_in_process

    event: dict[str, Any] = {"action": "reconcile"} if reconcile else {}
    if at is not None:
        event["scheduled_at"] = at.isoformat()
    result = call_in_process(handler, event, timeout_seconds=DRIFT_MONITOR.timeout_seconds)
    if as_json:
        Console().print_json(data=result)
    else:
        summary = summarize_reconciliation(result) if reconcile else summarize_run(result)
        Console().print(summary, markup=False, highlight=False, soft_wrap=True)
