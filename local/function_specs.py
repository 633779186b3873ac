"""The configuration of each function, as the stacks define it: handler, variables, memory and time-out.

Each function gets only its own variables, so that one which its stack does not set is missing here too.
"""

from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

from cdk.environments import ENVIRONMENTS
from cdk.function_config import (
    API_TIMEOUT_SECONDS,
    DRIFT_MONITOR,
    LOG_WRITER,
    MIGRATIONS,
    REPORTS,
    SLACK_NOTIFIER,
    FunctionConfig,
)
from local.settings import function_settings
from local.stand_ins.lambda_runtime import FunctionSpec
from local.stand_ins.moto_server import LocalAws

API = FunctionConfig(ENVIRONMENTS["dev"].api_memory_mb, API_TIMEOUT_SECONDS)


def migrations(aws: LocalAws, database: Mapping[str, str]) -> FunctionSpec:
    """Configure migrations, which runs before the other functions."""
    return _function("migrations", MIGRATIONS, database, aws.environment())


def api(aws: LocalAws, model_dir: Path, deployment_id: UUID, hash_key: str) -> FunctionSpec:
    """Configure the API: without a database, as in AWS."""
    variables = {"DEPLOYMENT_ID": str(deployment_id), "INPUT_HASH_KEY": hash_key}
    return _function("api", API, aws.environment(), _model(model_dir), variables)


def log_writer(aws: LocalAws, database: Mapping[str, str]) -> FunctionSpec:
    """Configure the log writer."""
    return _function("log_writer", LOG_WRITER, database, aws.environment())


def reports(aws: LocalAws, database: Mapping[str, str], model_dir: Path) -> FunctionSpec:
    """Configure reports."""
    return _function("reports", REPORTS, database, aws.environment(), _model(model_dir))


def drift_monitor(
    aws: LocalAws, database: Mapping[str, str], model_dir: Path, monitor_settings: Mapping[str, str]
) -> FunctionSpec:
    """Configure the drift monitor; `monitor_settings` override the user's settings."""
    return _function(
        "drift_monitor", DRIFT_MONITOR, database, aws.environment(), _model(model_dir), monitor_settings
    )


def slack_notifier(aws: LocalAws) -> FunctionSpec:
    """Configure the Slack notifier."""
    return _function("slack_notifier", SLACK_NOTIFIER, aws.environment())


def _function(name: str, config: FunctionConfig, *environments: Mapping[str, str]) -> FunctionSpec:
    variables = function_settings()
    for environment in environments:
        variables |= environment
    return FunctionSpec(name, f"functions.{name}.handler.handler", variables, *config)


def _model(folder: Path) -> dict[str, str]:
    return {"MODEL_DIR": str(folder.resolve())}
