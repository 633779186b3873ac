"""`sentiment drift run`: look for drift now, without waiting for the schedule.

It calls the drift monitor's handler in this process, on the database and topic that the environment names;
for a deployed monitor, invoke the function itself.
"""

import contextlib
import sys
import time
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console

from cdk.function_config import DRIFT_MONITOR
from cli.environment import needed


def add_to(app: typer.Typer) -> None:
    """Register the command in the group `drift`."""
    app.command(
        "run",
        epilog="Examples: [bold]sentiment drift run[/] | [bold]sentiment drift run --json[/] | "
        "[bold]sentiment drift run --reconcile[/]. Exit code 0 when it could judge, whatever it found: what "
        "people have to hear is told as ever (`sentiment monitor --once` has statuses for scripts).",
    )(run)


def run(
    at: Annotated[
        datetime | None,
        typer.Option(help="Judge the window that ended then (UTC) instead of now.", show_default=False),
    ] = None,
    reconcile: Annotated[
        bool, typer.Option("--reconcile", help="Compare what was answered with what is stored instead.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print all figures.")] = False,
) -> None:
    """Compare the last hours of traffic with the model's reference, now; alerts go out as on schedule."""
    needed("DATABASE_HOST", "the Postgres with the predictions")
    needed("ALERT_TOPIC_ARN", "the topic that alerts go to")
    needed("MODEL_DIR", "the artifact whose reference traffic is compared with")
    from functions.drift_monitor.handler import handler
    from local.stand_ins.lambda_runtime import Context
    from local.stand_ins.schedule import describe_reconciliation, describe_run

    event: dict[str, Any] = {"action": "reconcile"} if reconcile else {}
    if at is not None:
        event["scheduled_at"] = at.isoformat()
    context = Context(
        "drift_monitor", memory_limit_in_mb=0, deadline=time.monotonic() + DRIFT_MONITOR.timeout_seconds
    )
    with contextlib.redirect_stdout(sys.stderr):  # its log and metrics
        answer = handler(event, context)  # type: ignore[arg-type]
    if as_json:
        Console().print_json(data=answer)
    else:
        describe = describe_reconciliation if reconcile else describe_run
        Console().print(describe(answer), markup=False, highlight=False, soft_wrap=True)
