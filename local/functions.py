"""What each function is started with, as the cloud stacks would say it: handler, variables, memory and time.

Every one gets its own variables and no others, so that one which the stacks forget is missed here too.
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
from local.settings import passed_on
from local.stand_ins.aws import LocalAws
from local.stand_ins.lambda_runtime import FunctionSpec

API = FunctionConfig(ENVIRONMENTS["dev"].api_memory_mb, API_TIMEOUT_SECONDS)


def migrations(aws: LocalAws, database: Mapping[str, str]) -> FunctionSpec:
    """Say how migrations is started; it runs before the others can be."""
    return _function("migrations", MIGRATIONS, database, aws.environment())


def api(aws: LocalAws, model_dir: Path, deployment_id: UUID, hash_key: str) -> FunctionSpec:
    """Say how the API is started: without a database, as in the cloud."""
    own = {"DEPLOYMENT_ID": str(deployment_id), "INPUT_HASH_KEY": hash_key}
    return _function("api", API, aws.environment(), _model(model_dir), own)


def log_writer(aws: LocalAws, database: Mapping[str, str]) -> FunctionSpec:
    """Say how the log writer is started."""
    return _function("log_writer", LOG_WRITER, database, aws.environment())


def reports(aws: LocalAws, database: Mapping[str, str], model_dir: Path) -> FunctionSpec:
    """Say how reports is started."""
    return _function("reports", REPORTS, database, aws.environment(), _model(model_dir))


def drift_monitor(
    aws: LocalAws, database: Mapping[str, str], model_dir: Path, judgement: Mapping[str, str]
) -> FunctionSpec:
    """Say how the drift monitor is started; `judgement` wins over what the person set."""
    return _function(
        "drift_monitor", DRIFT_MONITOR, database, aws.environment(), _model(model_dir), judgement
    )


def slack_notifier(aws: LocalAws) -> FunctionSpec:
    """Say how the Slack notifier is started."""
    return _function("slack_notifier", SLACK_NOTIFIER, aws.environment())


def _function(name: str, config: FunctionConfig, *environments: Mapping[str, str]) -> FunctionSpec:
    variables = passed_on()
    for environment in environments:
        variables |= environment
    return FunctionSpec(name, f"functions.{name}.handler.handler", variables, *config)


def _model(folder: Path) -> dict[str, str]:
    return {"MODEL_DIR": str(folder.resolve())}
