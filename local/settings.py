"""The settings of the local system, from the environment or `.env`; all have defaults."""

import os
from pathlib import Path

from dotenv import dotenv_values
from pydantic import Field
from sentiment.database.session import DatabaseSettings
from sentiment.settings import Secret, Settings, read_settings

from functions.drift_monitor.settings import DriftMonitorSettings
from local.processes import HOST

# Settings of the functions that are passed on unchanged; the local system sets all others.
PASSED_ON = ("CACHE_ENTRIES", "CORS_ORIGINS", "LOG_LEVEL", "PRIVACY_MODE", "RETENTION_MONTHS", "THREADS")
# Settings of the drift monitor that the local system sets; all others but the database's are passed on.
SET_LOCALLY = {"model_dir", "alert_topic_arn", "report_bucket", "state_machine_arn"}


class LocalSettings(Settings):
    """The ports, artifact, state folder, schedule and database of `sentiment up`."""

    api_host: str = HOST  # 0.0.0.0: reachable from other machines, without authentication
    api_port: int = Field(default=8000, ge=1, le=65535)
    postgres_port: int = Field(default=15432, ge=1, le=65535)
    aws_port: int = Field(default=14566, ge=1, le=65535)
    model_dir: Path = Path("artifacts/model")
    state_dir: Path = Path(".local")
    input_hash_key: Secret | None = None  # None: generated, and stored in the state folder
    drift_every_minutes: int = Field(default=60, ge=0)  # 0: only on request
    training_data: str | None = None  # for retraining; None: the data set in the model card
    slack_webhook_url: Secret | None = None
    database_host: str | None = None  # None: `sentiment up` starts the embedded Postgres

    @property
    def up_folder(self) -> Path:
        """Return the state folder of `sentiment up`."""
        return self.state_dir / "up"

    @property
    def demo_folder(self) -> Path:
        """Return the state folder of `sentiment demo`, a separate one so that both can run at once."""
        return self.state_dir / "demo"


def local_settings() -> LocalSettings:
    """Read the settings; raises ConfigurationError naming every invalid variable."""
    return read_settings(LocalSettings)


def function_settings() -> dict[str, str]:
    """Return the functions' settings that the user set; the environment overrides `.env`."""
    values = dotenv_values(".env") | os.environ
    monitor = DriftMonitorSettings.model_fields.keys() - DatabaseSettings.model_fields.keys() - SET_LOCALLY
    names = {*PASSED_ON, *map(str.upper, monitor)}
    return {name: value for name in sorted(names) if (value := values.get(name))}


def external_database() -> DatabaseSettings | None:
    """Return the Postgres in DATABASE_HOST, or None to use the embedded one."""
    return read_settings(DatabaseSettings) if local_settings().database_host else None
