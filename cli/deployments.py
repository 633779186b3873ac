"""`sentiment deployments` and `rollback`: what serves in an environment, and back to what served before.

Without an environment `rollback` is about this machine, which is `cli.promote`.

Postgres is out of reach from here, so the registrar is asked for the history and writes down what was done.
Traffic moves by the alias alone: no image is built, nothing starts cold that was not warm yesterday.
"""

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sentiment.exceptions import ConfigurationError, InvocationError, SentimentError
from sentiment.invocation import invoke
from sentiment.registrar import Registrar, Row

from cdk.environments import ENVIRONMENTS
from cdk.function_config import LIVE_ALIAS

if TYPE_CHECKING:
    import boto3

RUNNING = ("Created", "Queued", "InProgress", "Baking", "Ready")
STOP_SECONDS = 60.0
Env = Annotated[str, typer.Option(help=f"One of {', '.join(ENVIRONMENTS)}.")]


class RollbackError(SentimentError):
    """Traffic could not be moved, or was moved and could not be written down."""


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(epilog="Example: [bold]sentiment deployments --env prod[/]")(deployments)
    app.command(
        epilog='Examples: [bold]sentiment rollback --env prod --why "p99 doubled" --dry-run[/] | '
        '[bold]sentiment rollback --env prod --to 41 --why "wrong on negations" --yes[/]. '
        "`make deploy` releases the newest code again: mend it first."
    )(rollback)


def deployments(env: Env) -> None:
    """List what was put in front of traffic, newest first."""
    from cli.aws import aws_errors

    with aws_errors():
        rows = Cloud.of(env).registrar.list_deployments()
    if not rows:
        Console().print(f"nothing was ever deployed to {env}")
        return
    table = Table()
    for name in ("type", "version", "model", "since", "until", "by", "why"):
        table.add_column(name, overflow="fold")
    for row in rows:
        until = _moment(row["retired_at"]) if row["retired_at"] else "active"
        kind, version = row["deployment_type"], row["function_version"] or ""
        cells = (kind, version, row["model_version"], _moment(row["deployed_at"]), until, row["deployed_by"])
        table.add_row(*map(Text, cells), Text(row["reason"] or ""))
    Console().print(table)


def rollback(
    why: Annotated[str, typer.Option(help="The reason; it is kept with the deployment.")],
    env: Annotated[
        str | None, typer.Option(help=f"One of {', '.join(ENVIRONMENTS)}. Default: this machine.")
    ] = None,
    to: Annotated[
        int | None, typer.Option(min=1, help="Lambda version. Default: the last good one before this.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done and do nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    artifacts: Annotated[
        Path, typer.Option(help="On this machine: the folder that training publishes in.")
    ] = Path("artifacts"),
) -> None:
    """Put back what served before: on this machine, or in an environment, where all traffic moves at once."""
    from cli.aws import aws_errors

    if not why.strip():
        raise typer.BadParameter("say why", param_hint="--why")
    if env is None:
        if to is not None or dry_run:
            raise typer.BadParameter(
                "--to and --dry-run are for an environment; `sentiment promote` takes a version"
            )
        from cli.promote import restore_previous

        return restore_previous(artifacts, why)
    console = Console()
    with aws_errors():
        cloud = Cloud.of(env)
        plan = cloud.plan(to)
        console.print(plan.describe(env), markup=False, highlight=False, soft_wrap=True)
        if dry_run or plan.done:
            return
        if not yes:
            typer.confirm(f"Move all traffic of {env} to version {plan.to}?", abort=True)
        cloud.carry_out(plan)
        row = cloud.write_down(plan, why)
    console.print(
        f"[green]✓[/] version {plan.to} serves all traffic; recorded as {row['id']}", highlight=False
    )


@dataclass(frozen=True)
class Plan:
    """Where traffic is and where it goes."""

    serving: str
    shares: dict[str, float]  # versions that a release has given a share of the traffic already
    running: tuple[str, ...]  # CodeDeploy's deployments that are under way
    to: str
    model_version: str
    recorded: bool  # that is what the database says already

    @property
    def moves(self) -> bool:
        """Say whether the alias is anywhere else."""
        return bool(self.serving != self.to or self.shares or self.running)

    @property
    def done(self) -> bool:
        """Say whether there is nothing to do."""
        return self.recorded and not self.moves

    def describe(self, env: str) -> str:
        """Say what will happen."""
        if not self.moves:
            return f"{env}: version {self.to} serves all traffic already" + (
                "" if self.recorded else "; that will be recorded"
            )
        shares = "".join(f", {share:.0%} at version {version}" for version, share in self.shares.items())
        stops = "".join(f"; stops deployment {deployment}" for deployment in self.running)
        return (
            f"{env}: traffic at version {self.serving}{shares} goes to version {self.to} "
            f"(model {self.model_version}){stops}"
        )


@dataclass(frozen=True)
class Cloud:
    """The deployed parts of one environment that a rollback touches."""

    aws: "boto3.Session"
    api: str
    registrar: Registrar
    application: str
    group: str

    @classmethod
    def of(cls, env: str) -> "Cloud":
        """Find them in the stacks' outputs; raises ConfigurationError when a stack is not there."""
        from cli.aws import session, stack_output
        from cli.environment import leave_local_system

        leave_local_system()
        aws = session(env)
        api = stack_output(aws, env, "serving", "ApiFunction")
        registrar = stack_output(aws, env, "data", "RegistrarFunction")
        return cls(
            aws=aws,
            api=api,
            registrar=Registrar(partial(invoke, aws.client("lambda"), registrar)),
            application=stack_output(aws, env, "serving", "ReleaseApplication"),
            group=stack_output(aws, env, "serving", "ReleaseGroup"),
        )

    def plan(self, to: int | None) -> Plan:
        """Decide where to go; raises ConfigurationError when there is nowhere.

        While a release is under way the alias's own version is the good one, before and during the canary.
        """
        alias = self.aws.client("lambda").get_alias(FunctionName=self.api, Name=LIVE_ALIAS)
        serving = alias["FunctionVersion"]
        weights = alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
        shares = {version: share for version, share in weights.items() if share}
        running = self.aws.client("codedeploy").list_deployments(
            applicationName=self.application,
            deploymentGroupName=self.group,
            includeOnlyStatuses=list(RUNNING),  # type: ignore[arg-type]
        )["deployments"]
        wanted = to or (int(serving) if running else None)
        latest = max([serving, *shares], key=int)
        active, target = self.registrar.previous_deployment(latest, to=wanted)
        if target is None:
            raise ConfigurationError(
                f"no champion before version {latest} is recorded: nothing to go back to"
            )
        self._check_exists(target["function_version"])
        return Plan(
            serving=serving,
            shares=shares,
            running=tuple(running),
            to=target["function_version"],
            model_version=target["model_version"],
            recorded=active is not None and active["function_version"] == target["function_version"],
        )

    def carry_out(self, plan: Plan) -> None:
        """Stop what CodeDeploy is doing and point the alias at the version, with no share for any other."""
        codedeploy = self.aws.client("codedeploy")
        for deployment in plan.running:
            # We take the traffic back ourselves, at once; CodeDeploy would release the old version anew.
            codedeploy.stop_deployment(deploymentId=deployment, autoRollbackEnabled=False)
            deadline = time.monotonic() + STOP_SECONDS
            while codedeploy.get_deployment(deploymentId=deployment)["deploymentInfo"]["status"] in RUNNING:
                if time.monotonic() > deadline:
                    raise RollbackError(f"deployment {deployment} does not stop; stop it in the console")
                time.sleep(1)
        self.aws.client("lambda").update_alias(
            FunctionName=self.api,
            Name=LIVE_ALIAS,
            FunctionVersion=plan.to,
            RoutingConfig={"AdditionalVersionWeights": {}},
        )

    def write_down(self, plan: Plan, why: str) -> Row:
        """Have the rollback recorded and return its row; raises RollbackError, but traffic has moved then."""
        caller = self.aws.client("sts").get_caller_identity()["Arn"]
        deployment = {"function_version": plan.to, "reason": why.strip(), "deployed_by": caller}
        try:
            return self.registrar.record_rollback(deployment)
        except InvocationError as error:
            raise RollbackError(
                f"version {plan.to} serves all traffic, but that is not recorded: {error}. Once that is "
                f"mended, repeat this command with --to {plan.to}"
            ) from None

    def _check_exists(self, version: str) -> None:
        client = self.aws.client("lambda")
        try:
            client.get_function(FunctionName=self.api, Qualifier=version)
        except client.exceptions.ResourceNotFoundException:
            raise ConfigurationError(
                f"version {version} of {self.api} was deleted; name another with --to or deploy its code"
            ) from None


def _moment(iso: str) -> str:
    return iso[:16].replace("T", " ")
