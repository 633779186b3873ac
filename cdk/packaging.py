"""The only place that turns a folder under functions/ into a Lambda, as a container image or as a zip.

An asset holds its own function's files and nothing of another's, so editing one function redeploys one
function. What zip functions depend on is a layer of their stack, built by pip from the locked requirements,
without Docker and only when a deployment needs it: synth works offline. See cdk/layers.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from constructs import Construct

from cdk.acknowledgments import acknowledge, acknowledge_wildcards
from cdk.environments import Environment
from cdk.layers import layer
from cdk.paths import ROOT

ARCHITECTURES = {"arm64": lambda_.Architecture.ARM_64, "x86_64": lambda_.Architecture.X86_64}
PLATFORMS = {"arm64": ecr_assets.Platform.LINUX_ARM64, "x86_64": ecr_assets.Platform.LINUX_AMD64}
RETENTIONS = {
    1: logs.RetentionDays.ONE_DAY,
    7: logs.RetentionDays.ONE_WEEK,
    30: logs.RetentionDays.ONE_MONTH,
    90: logs.RetentionDays.THREE_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
}
ARTIFACT = ROOT / "artifacts" / "model"  # a link to the champion
NO_ARTIFACT = "artifacts/models/none"  # COPY refuses it, so no image without a model can be built
JUNK = ("**/__pycache__", "**/*.pyc", "**/.mypy_cache")
# Lambda makes a VPC function's network interfaces with the function's role, before they have an ARN to name.
NETWORK_INTERFACE_ACTIONS = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)


@dataclass(frozen=True, kw_only=True)
class DatabaseAccess:
    """What puts a function beside Postgres: its place in the VPC, its DATABASE_* variables and its login.

    Without a user the function is not allowed to log in by IAM.
    """

    vpc: ec2.IVpc
    security_group: ec2.ISecurityGroup
    settings: Mapping[str, str]
    instance: rds.IDatabaseInstance
    user: str | None

    def connect(self, function: lambda_.Function) -> None:
        """Let the function log in as this user, and as no other."""
        if self.user:
            self.instance.grant_connect(function, self.user)


def image_function(
    scope: Construct,
    id: str,
    *,
    folder: str,
    environment: Environment,
    settings: dict[str, str],
    memory_mb: int,
    timeout_seconds: int,
    database: DatabaseAccess | None = None,
    **extra: Any,
) -> lambda_.DockerImageFunction:
    """Make a function from functions/Dockerfile, with the trained artifact baked in.

    `database` puts it into the VPC and lets it log in to Postgres. `extra` goes to the construct as it is.
    """
    model = model_folder()
    node = scope.node
    base = {
        name.upper(): value for name in ("base_image", "base_digest") if (value := node.try_get_context(name))
    }
    function = lambda_.DockerImageFunction(
        scope,
        id,
        code=lambda_.DockerImageCode.from_image_asset(
            str(ROOT),
            file="functions/Dockerfile",
            build_args={"FUNCTION": folder, "MODEL": model, **base},
            platform=PLATFORMS[environment.architecture],
            exclude=image_context(folder, model),
            ignore_mode=cdk.IgnoreMode.DOCKER,
        ),
        **_shared(scope, id, folder, environment, settings, memory_mb, timeout_seconds, database),
        **extra,
    )
    if model == NO_ARTIFACT:
        cdk.Annotations.of(function).add_warning_v2(
            "sentiment:no-artifact", "no trained artifact: run `sentiment train` before this image is built"
        )
    if database:
        database.connect(function)
    return function


def zip_function(
    scope: Construct,
    id: str,
    *,
    folder: str,
    environment: Environment,
    settings: dict[str, str],
    memory_mb: int,
    timeout_seconds: int,
    database: DatabaseAccess | None = None,
    **extra: Any,
) -> lambda_.Function:
    """Make a function from its folder and the layer with its dependencies; else as `image_function`."""
    function = lambda_.Function(
        scope,
        id,
        runtime=lambda_.Runtime.PYTHON_3_12,
        handler=f"functions.{folder}.handler.handler",
        code=lambda_.Code.from_asset(
            str(ROOT), exclude=zip_context(folder), ignore_mode=cdk.IgnoreMode.DOCKER
        ),
        layers=[layer(cdk.Stack.of(scope), folder=folder, architecture=environment.architecture)],
        **_shared(scope, id, folder, environment, settings, memory_mb, timeout_seconds, database),
        **extra,
    )
    acknowledge(
        function,
        {"AwsSolutions-L1": "Zips and images run on one Python, which AWS patches and the wheels are for."},
    )
    if database:
        database.connect(function)
    return function


def model_folder() -> str:
    """Return the path, from the root, of the artifact's versioned folder that images get."""
    return str(ARTIFACT.resolve().relative_to(ROOT)) if ARTIFACT.is_dir() else NO_ARTIFACT


def image_context(folder: str, model: str) -> list[str]:
    """List what the Docker build of a function may see, as .dockerignore lines."""
    return [
        "*",
        "!functions/Dockerfile",
        *zip_context(folder)[1 : -len(JUNK)],
        "!layers/shared/python/sentiment",
        f"!layers/requirements/{folder}.txt",
        f"!{model}",
        *JUNK,
    ]


def zip_context(folder: str) -> list[str]:
    """List what a zip holds, as .dockerignore lines: one function."""
    return ["*", "!functions/__init__.py", f"!functions/{folder}", *JUNK]


def log_group(scope: Construct, id: str, environment: Environment, name: str | None = None) -> logs.LogGroup:
    """Make a log group with the environment's retention and the stack's lifetime unless data is kept."""
    return logs.LogGroup(
        scope,
        id,
        log_group_name=name,
        retention=RETENTIONS[environment.log_retention_days],
        removal_policy=removal_policy(environment),
    )


def removal_policy(environment: Environment) -> cdk.RemovalPolicy:
    """Say what becomes of things that hold data when their stack is destroyed."""
    return cdk.RemovalPolicy.RETAIN if environment.keep_data else cdk.RemovalPolicy.DESTROY


def _shared(
    scope: Construct,
    id: str,
    folder: str,
    environment: Environment,
    settings: dict[str, str],
    memory_mb: int,
    timeout_seconds: int,
    database: DatabaseAccess | None,
) -> dict[str, Any]:
    """Collect what images and zips have in common."""
    log = log_group(scope, f"{id}Log", environment)
    role = iam.Role(scope, f"{id}Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    log.grant_write(role)
    network: dict[str, Any] = {}
    if database:
        role.add_to_policy(iam.PolicyStatement(actions=[*NETWORK_INTERFACE_ACTIONS], resources=["*"]))
        network = {"vpc": database.vpc, "security_groups": [database.security_group]}
    acknowledge_wildcards(
        role,
        {"*": "X-Ray's actions know no resources, nor do those on interfaces that are still to be made."},
    )
    return {
        "role": role,
        "architecture": ARCHITECTURES[environment.architecture],
        "memory_size": memory_mb,
        "timeout": cdk.Duration.seconds(timeout_seconds),
        "tracing": lambda_.Tracing.ACTIVE if environment.trace else lambda_.Tracing.PASS_THROUGH,
        "log_group": log,
        "environment": {
            "LOG_LEVEL": "INFO",
            "POWERTOOLS_METRICS_NAMESPACE": environment.namespace,
            "POWERTOOLS_SERVICE_NAME": folder,
            **(database.settings if database else {}),
            **settings,
        },
        **network,
    }
