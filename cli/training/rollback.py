"""`sentiment rollback`: restore the version that served before, in an environment or on this machine.

In an environment it moves the alias of the API, so no image is built. The registrar selects the version and
records the rollback. On this machine it restores the previous champion (`cli.training.promote`).
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from sentiment.exceptions import ConfigurationError, InvocationError, SentimentError
from sentiment.registrar import Row

from cdk.environments import ENVIRONMENTS
from cdk.function_config import LIVE_ALIAS

# CodeDeploy's statuses of a deployment that has not ended.
RUNNING = ("Created", "Queued", "InProgress", "Baking", "Ready")
STOP_SECONDS = 60.0


class RollbackError(SentimentError):
    """Traffic could not be moved, or was moved and the rollback could not be recorded."""


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        epilog='Examples: [bold]sentiment rollback --env prod --why "p99 doubled" --dry-run[/] | '
        '[bold]sentiment rollback --env prod --to 41 --why "wrong on negations" --yes[/]. '
        "`make deploy` releases the newest code again: fix it first."
    )(rollback)


def rollback(
    why: Annotated[str, typer.Option(help="The reason, recorded with the deployment.")],
    env: Annotated[
        str | None, typer.Option(help=f"One of {', '.join(ENVIRONMENTS)}. Default: this machine.")
    ] = None,
    to: Annotated[
        int | None, typer.Option(min=1, help="Lambda version. Default: the last good one before the current.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done and change nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    artifacts: Annotated[
        Path, typer.Option(help="On this machine: the folder that training publishes to.")
    ] = Path("artifacts"),
) -> None:
    """Restore the version that served before: in an environment with all traffic, or on this machine."""
    from cli.aws.stacks import aws_errors

    if not why.strip():
        raise typer.BadParameter("give a reason", param_hint="--why")
    if env is None:
        if to is not None or dry_run:
            raise typer.BadParameter(
                "--to and --dry-run need --env; on this machine use `sentiment promote VERSION`"
            )
        from cli.training.promote import restore_previous

        return restore_previous(artifacts, why)
    console = Console()
    with aws_errors():
        api = ReleasedApi(env)
        plan = api.plan_rollback(to)
        console.print(plan.describe(env), markup=False, highlight=False, soft_wrap=True)
        if dry_run or plan.is_done:
            return
        if not yes:
            typer.confirm(f"Move all traffic of {env} to version {plan.target}?", abort=True)
        api.move_traffic(plan)
        row = api.record_rollback(plan, why)
    console.print(
        f"[green]✓[/] version {plan.target} serves all traffic; recorded as {row['id']}", highlight=False
    )


@dataclass(frozen=True)
class RollbackPlan:
    """The current routing of the alias, and the version that all traffic goes to."""

    serving: str
    shares: dict[str, float]  # versions to which a release has shifted a share of the traffic
    running: tuple[str, ...]  # ids of CodeDeploy deployments in progress
    target: str
    model_version: str
    is_recorded: bool  # the database already has the target as the active deployment

    @property
    def moves_traffic(self) -> bool:
        """Return whether the alias has to change, or a deployment has to stop."""
        return bool(self.serving != self.target or self.shares or self.running)

    @property
    def is_done(self) -> bool:
        """Return whether there is nothing to do."""
        return self.is_recorded and not self.moves_traffic

    def describe(self, env: str) -> str:
        """Return what will be done, in one line."""
        if not self.moves_traffic:
            return f"{env}: version {self.target} already serves all traffic" + (
                "" if self.is_recorded else "; this will be recorded"
            )
        shares = "".join(f", {share:.0%} at version {version}" for version, share in self.shares.items())
        stops = "".join(f"; stops deployment {deployment}" for deployment in self.running)
        return (
            f"{env}: traffic at version {self.serving}{shares} goes to version {self.target} "
            f"(model {self.model_version}){stops}"
        )


class ReleasedApi:
    """The API function of one environment, its alias and its CodeDeploy deployment group."""

    def __init__(self, env: str) -> None:
        """Find them in the stacks' outputs; raises ConfigurationError when a stack is not deployed."""
        from cli.aws.stacks import open_registrar, open_session, stack_output
        from cli.env_vars import unset_local_system

        unset_local_system()
        self._session = open_session(env)
        self._function = stack_output(self._session, env, "serving", "ApiFunction")
        self._registrar = open_registrar(self._session, env)
        self._application = stack_output(self._session, env, "serving", "ReleaseApplication")
        self._group = stack_output(self._session, env, "serving", "ReleaseGroup")

    def plan_rollback(self, to: int | None) -> RollbackPlan:
        """Select the target version; raises ConfigurationError when there is none.

        While a release is in progress, before and during its canary, the good version is the alias's own.
        """
        alias = self._session.client("lambda").get_alias(FunctionName=self._function, Name=LIVE_ALIAS)
        serving = alias["FunctionVersion"]
        weights = alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
        shares = {version: share for version, share in weights.items() if share}
        running = self._session.client("codedeploy").list_deployments(
            applicationName=self._application,
            deploymentGroupName=self._group,
            includeOnlyStatuses=list(RUNNING),  # type: ignore[arg-type]
        )["deployments"]
        requested = to or (int(serving) if running else None)
        latest = max([serving, *shares], key=int)
        active, target = self._registrar.previous_deployment(latest, to=requested)
        if target is None:
            raise ConfigurationError(f"no champion before version {latest} is recorded to roll back to")
        self._check_exists(target["function_version"])
        return RollbackPlan(
            serving=serving,
            shares=shares,
            running=tuple(running),
            target=target["function_version"],
            model_version=target["model_version"],
            is_recorded=active is not None and active["function_version"] == target["function_version"],
        )

    def move_traffic(self, plan: RollbackPlan) -> None:
        """Stop CodeDeploy's deployments, then route all traffic of the alias to the target version."""
        codedeploy = self._session.client("codedeploy")
        for deployment in plan.running:
            # No automatic rollback: CodeDeploy would release the old version as a new canary.
            codedeploy.stop_deployment(deploymentId=deployment, autoRollbackEnabled=False)
            deadline = time.monotonic() + STOP_SECONDS
            while codedeploy.get_deployment(deploymentId=deployment)["deploymentInfo"]["status"] in RUNNING:
                if time.monotonic() > deadline:
                    raise RollbackError(f"deployment {deployment} does not stop; stop it in the console")
                time.sleep(1)
        self._session.client("lambda").update_alias(
            FunctionName=self._function,
            Name=LIVE_ALIAS,
            FunctionVersion=plan.target,
            RoutingConfig={"AdditionalVersionWeights": {}},
        )

    def record_rollback(self, plan: RollbackPlan, why: str) -> Row:
        """Record the rollback and return its row; raises RollbackError when only that failed."""
        caller = self._session.client("sts").get_caller_identity()["Arn"]
        deployment = {"function_version": plan.target, "reason": why.strip(), "deployed_by": caller}
        try:
            return self._registrar.record_rollback(deployment)
        except InvocationError as error:
            raise RollbackError(
                f"version {plan.target} serves all traffic, but the rollback is not recorded: {error}. Fix "
                f"the cause, then repeat this command with --to {plan.target}"
            ) from None

    def _check_exists(self, version: str) -> None:
        client = self._session.client("lambda")
        try:
            client.get_function(FunctionName=self._function, Qualifier=version)
        except client.exceptions.ResourceNotFoundException:
            raise ConfigurationError(
                f"version {version} of {self._function} was deleted; give another with --to, or deploy "
                "its code again"
            ) from None
