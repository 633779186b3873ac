"""The only place that turns a folder under functions/ into a Lambda function, as a container image or a zip.

An asset holds its own function's files and no other's, so editing one function redeploys one function. What
zip functions depend on is a layer of their stack, built by pip from the locked requirements, without Docker
and only for a deployment: synth works offline. See cdk/layers.py.
"""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from cdk.acknowledgments import acknowledge, acknowledge_wildcards
from cdk.database_access import DatabaseAccess
from cdk.environments import Environment
from cdk.function_config import FunctionConfig
from cdk.layers import layer
from cdk.paths import ROOT
from cdk.retention import log_group

ARCHITECTURES = {"arm64": lambda_.Architecture.ARM_64, "x86_64": lambda_.Architecture.X86_64}
PLATFORMS = {"arm64": ecr_assets.Platform.LINUX_ARM64, "x86_64": ecr_assets.Platform.LINUX_AMD64}
ARTIFACT = ROOT / "artifacts" / "model"  # a link to the champion
NO_ARTIFACT = "artifacts/models/none"  # COPY fails on it, so no image without a model can be built
IGNORED = ("**/__pycache__", "**/*.pyc", "**/.mypy_cache")


def image_function(
    scope: Construct,
    id: str,
    *,
    folder: str,
    environment: Environment,
    settings: dict[str, str],
    config: FunctionConfig,
    database: DatabaseAccess | None = None,
    **options: Any,
) -> lambda_.DockerImageFunction:
    """Make a function from functions/Dockerfile, with the trained artifact in its image.

    `database` puts it into the VPC and lets it log in to Postgres. `options` go to the construct.
    """
    model = model_folder()
    function = lambda_.DockerImageFunction(
        scope,
        id,
        code=lambda_.DockerImageCode.from_image_asset(
            str(ROOT),
            file="functions/Dockerfile",
            build_args={"FUNCTION": folder, "MODEL": model, **base_image_arguments(scope)},
            platform=PLATFORMS[environment.architecture],
            exclude=image_context(folder, model),
            ignore_mode=cdk.IgnoreMode.DOCKER,
        ),
        **_shared_options(scope, id, folder, environment, settings, config, database),
        **options,
    )
    if model == NO_ARTIFACT:
        cdk.Annotations.of(function).add_warning_v2(
            "sentiment:no-artifact", "no trained artifact: run `sentiment train` before this image is built"
        )
    if database:
        database.allow_login(function)
    return function


def zip_function(
    scope: Construct,
    id: str,
    *,
    folder: str,
    environment: Environment,
    settings: dict[str, str],
    config: FunctionConfig,
    database: DatabaseAccess | None = None,
    **options: Any,
) -> lambda_.Function:
    """Make a function from its folder and the layer with its dependencies; otherwise as `image_function`."""
    function = lambda_.Function(
        scope,
        id,
        runtime=lambda_.Runtime.PYTHON_3_12,
        handler=f"functions.{folder}.handler.handler",
        code=lambda_.Code.from_asset(
            str(ROOT), exclude=zip_context(folder), ignore_mode=cdk.IgnoreMode.DOCKER
        ),
        layers=[layer(cdk.Stack.of(scope), folder=folder, architecture=environment.architecture)],
        **_shared_options(scope, id, folder, environment, settings, config, database),
        **options,
    )
    acknowledge(
        function,
        {"AwsSolutions-L1": "Zips and images use the same Python, which the wheels are built for."},
    )
    if database:
        database.allow_login(function)
    return function


def base_image_arguments(scope: Construct, prefix: str = "") -> dict[str, str]:
    """Return the Dockerfile's BASE_IMAGE and BASE_DIGEST as far as the context sets them."""
    return {
        name.upper(): str(value)
        for name in ("base_image", "base_digest")
        if (value := scope.node.try_get_context(f"{prefix}{name}"))
    }


def model_folder() -> str:
    """Return the path, from the root, of the versioned artifact folder that images contain."""
    return str(ARTIFACT.resolve().relative_to(ROOT)) if ARTIFACT.is_dir() else NO_ARTIFACT


def image_context(folder: str, model: str) -> list[str]:
    """List what the Docker build of a function can read, as .dockerignore lines."""
    return [
        "*",
        "!functions/Dockerfile",
        *zip_context(folder)[1 : -len(IGNORED)],
        "!layers/shared/python/sentiment",
        f"!layers/requirements/{folder}.txt",
        f"!{model}",
        *IGNORED,
    ]


def zip_context(folder: str) -> list[str]:
    """List what a zip contains, as .dockerignore lines: one function."""
    return ["*", "!functions/__init__.py", f"!functions/{folder}", *IGNORED]


def _shared_options(
    scope: Construct,
    id: str,
    folder: str,
    environment: Environment,
    settings: dict[str, str],
    config: FunctionConfig,
    database: DatabaseAccess | None,
) -> dict[str, Any]:
    """Return the options that images and zips have in common."""
    log = log_group(scope, f"{id}Log", environment)
    role = iam.Role(scope, f"{id}Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    log.grant_write(role)
    network = database.network(role) if database else {}
    acknowledge_wildcards(
        role,
        {"*": "X-Ray's actions take no resources, nor do those on interfaces that do not exist yet."},
    )
    return {
        "role": role,
        "architecture": ARCHITECTURES[environment.architecture],
        "memory_size": config.memory_mb,
        "timeout": cdk.Duration.seconds(config.timeout_seconds),
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
