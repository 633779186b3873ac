"""What each function is started with, as the cloud stacks would say it: handler, variables, memory and time.

Every one gets its own variables and no others, so that one which the stacks forget is missed here too.
"""

from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

from local.aws import LocalAws
from local.lambda_runtime import FunctionSpec
from local.settings import passed_on

MIGRATION_SECONDS = DRIFT_SECONDS = 300
DRIFT_MEMORY_MB = 2048
SLACK_SECONDS = 60


def migrations(aws: LocalAws, database: Mapping[str, str]) -> FunctionSpec:
    """Say how migrations is started; it runs before the others can be."""
    return _function("migrations", database, aws.environment(), timeout_seconds=MIGRATION_SECONDS)


def api(aws: LocalAws, model_dir: Path, deployment_id: UUID, hash_key: str) -> FunctionSpec:
    """Say how the API is started: without a database, as in the cloud."""
    own = {"DEPLOYMENT_ID": str(deployment_id), "INPUT_HASH_KEY": hash_key}
    return _function("api", aws.environment(), _model(model_dir), own)


def log_writer(aws: LocalAws, database: Mapping[str, str]) -> FunctionSpec:
    """Say how the log writer is started."""
    return _function("log_writer", database, aws.environment())


def reports(aws: LocalAws, database: Mapping[str, str], model_dir: Path) -> FunctionSpec:
    """Say how reports is started."""
    return _function("reports", database, aws.environment(), _model(model_dir))


def drift_monitor(
    aws: LocalAws, database: Mapping[str, str], model_dir: Path, judgement: Mapping[str, str]
) -> FunctionSpec:
    """Say how the drift monitor is started; `judgement` wins over what the person set."""
    return _function(
        "drift_monitor",
        database,
        aws.environment(),
        _model(model_dir),
        judgement,
        memory_mb=DRIFT_MEMORY_MB,
        timeout_seconds=DRIFT_SECONDS,
    )


def slack_notifier(aws: LocalAws) -> FunctionSpec:
    """Say how the Slack notifier is started."""
    return _function("slack_notifier", aws.environment(), timeout_seconds=SLACK_SECONDS)


def _function(
    name: str, *environments: Mapping[str, str], memory_mb: int = 1769, timeout_seconds: int = 30
) -> FunctionSpec:
    variables = passed_on()
    for environment in environments:
        variables |= environment
    return FunctionSpec(name, f"functions.{name}.handler.handler", variables, memory_mb, timeout_seconds)


def _model(folder: Path) -> dict[str, str]:
    return {"MODEL_DIR": str(folder.resolve())}
