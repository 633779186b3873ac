"""The app: the stacks of one environment, chosen by the context key `env`.

`python -m cdk.app` synthesizes offline, without credentials, and builds no layer or image; the CDK command
line requests them through the context when it deploys.
"""

import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import cdk_nag
from constructs import Construct

from cdk.costs.idle import summary
from cdk.data.stack import DataStack
from cdk.environments import ENVIRONMENTS, Environment
from cdk.monitoring.stack import MonitoringStack
from cdk.paths import ROOT
from cdk.serving.stack import ServingStack
from cdk.training.stack import TrainingStack
from cdk.web.firewall import REGION, FirewallStack
from cdk.web.stack import WebStack


def make_app(outdir: Path | None = None, **context: Any) -> cdk.App:
    """Make the app with the context of cdk.json, which otherwise only the CDK command line reads."""
    defaults = json.loads((ROOT / "cdk.json").read_text())["context"]
    # Synth alone builds no layer; the command line overrides this when it deploys.
    no_bundling: dict[str, Any] = {"aws:cdk:bundling-stacks": []}
    return cdk.App(
        outdir=str(outdir) if outdir else None,
        context={**defaults, **no_bundling, **context},
        analytics_reporting=False,
    )


def chosen_environment(app: cdk.App) -> Environment:
    """Return the environment that the context names, with the architecture of the context if it has one."""
    name = str(app.node.try_get_context("env"))
    if name not in ENVIRONMENTS:
        raise SystemExit(f"-c env={name}: choose one of {', '.join(ENVIRONMENTS)}")
    environment = ENVIRONMENTS[name]
    architecture = app.node.try_get_context("architecture")  # for a laptop that cannot build the default
    return dataclasses.replace(environment, architecture=architecture) if architecture else environment


def add_stacks(scope: Construct, environment: Environment) -> None:
    """Add the stacks; each gets those it depends on."""

    def options(stack: str) -> dict[str, Any]:
        return {
            "environment": environment,
            "stack_name": f"sentiment-{environment.name}-{stack}",
            "env": cdk.Environment(region=environment.region),
            "termination_protection": environment.keep_data,
        }

    data = DataStack(scope, "Data", **options("data"))
    serving = ServingStack(scope, "Serving", data=data, **options("serving"))
    training = TrainingStack(scope, "Training", data=data, **options("training"))
    MonitoringStack(
        scope,
        "Monitoring",
        data=data,
        serving=serving,
        state_machine=training.state_machine,
        **options("monitoring"),
    )
    firewall_arn = None
    if environment.waf:
        region = {"env": cdk.Environment(region=REGION), "cross_region_references": True}
        firewall_arn = FirewallStack(scope, "Firewall", **options("firewall") | region).acl.attr_arn
    WebStack(
        scope,
        "Web",
        data=data,
        serving=serving,
        firewall_arn=firewall_arn,
        cross_region_references=environment.waf,
        **options("web"),
    )


def add_checks(app: cdk.App) -> None:
    """Make synth fail on findings of cdk-nag that are not acknowledged with a reason."""
    cdk.Validations.of(app).add_plugins(cdk_nag.AwsSolutionsChecks(app, verbose=True))


def synthesize(app: cdk.App) -> Environment:
    """Synthesize the environment that the app's context names; raises RuntimeError on findings of cdk-nag."""
    environment = chosen_environment(app)
    add_stacks(app, environment)
    add_checks(app)
    cdk.Tags.of(app).add("application", "sentiment")
    cdk.Tags.of(app).add("environment", environment.name)
    app.synth()
    return environment


def main() -> None:
    """Synthesize the environment into CDK_OUTDIR or cdk.out and print what it costs when idle."""
    environment = synthesize(make_app(Path(os.environ.get("CDK_OUTDIR", "cdk.out"))))
    print(summary(environment), file=sys.stderr)


if __name__ == "__main__":
    main()
