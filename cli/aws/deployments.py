"""`sentiment deployments`: the deployment history of an environment."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cdk.environments import ENVIRONMENTS


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(epilog="Example: [bold]sentiment deployments --env prod[/]")(deployments)


def deployments(env: Annotated[str, typer.Option(help=f"One of {', '.join(ENVIRONMENTS)}.")]) -> None:
    """List the deployments of an environment, newest first."""
    from cli.aws.stacks import aws_errors, open_registrar, open_session
    from cli.env_vars import unset_local_system

    unset_local_system()
    with aws_errors():
        rows = open_registrar(open_session(env), env).list_deployments()
    if not rows:
        Console().print(f"no deployment of {env} is recorded")
        return
    table = Table()
    for name in ("type", "version", "model", "since", "until", "by", "reason"):
        table.add_column(name, overflow="fold")
    for row in rows:
        until = _minute(row["retired_at"]) if row["retired_at"] else "active"
        kind, version = row["deployment_type"], row["function_version"] or ""
        cells = (kind, version, row["model_version"], _minute(row["deployed_at"]), until, row["deployed_by"])
        table.add_row(*map(Text, cells), Text(row["reason"] or ""))
    Console().print(table)


def _minute(iso: str) -> str:
    return iso[:16].replace("T", " ")
