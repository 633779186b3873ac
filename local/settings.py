"""What a person may choose about the local system, in the environment or `.env`; all of it has defaults."""

import os
from pathlib import Path

from dotenv import dotenv_values
from pydantic import Field
from sentiment.database.session import DatabaseSettings
from sentiment.settings import Secret, Settings, read_settings

from functions.drift_monitor.settings import DriftMonitorSettings
from local.processes import HOST

# Settings of the functions that are passed on as they are; all others describe the system and are made by it.
PASSED_ON = ("CACHE_ENTRIES", "CORS_ORIGINS", "LOG_LEVEL", "PRIVACY_MODE", "RETENTION_MONTHS", "THREADS")
# The drift monitor's are many and all a matter of judgement, but for these and where Postgres is.
MADE = {"model_dir", "alert_topic_arn", "report_bucket", "state_machine_arn"}


class LocalSettings(Settings):
    """Ports of `sentiment up`, the artifact it serves, where it keeps its state, and what it watches."""

    api_host: str = HOST  # 0.0.0.0: for everyone who reaches this machine, without any login
    api_port: int = Field(default=8000, ge=1, le=65535)
    postgres_port: int = Field(default=15432, ge=1, le=65535)
    aws_port: int = Field(default=14566, ge=1, le=65535)
    model_dir: Path = Path("artifacts/model")
    state_dir: Path = Path(".local")
    input_hash_key: Secret | None = None  # None: made at random and kept in the state folder
    drift_every_minutes: int = Field(default=60, ge=0)  # 0: only when asked
    training_data: str | None = None  # to train again from; None: what the model card names
    slack_webhook_url: Secret | None = None
    database_host: str | None = None  # None: `sentiment up` starts a Postgres of its own

    @property
    def up_folder(self) -> Path:
        """Return the state folder of `sentiment up`."""
        return self.state_dir / "up"

    @property
    def demo_folder(self) -> Path:
        """Return the state folder of `sentiment demo`, apart so that both can run at once."""
        return self.state_dir / "demo"


def local_settings() -> LocalSettings:
    """Read the settings; raises ConfigurationError naming every variable at fault."""
    return read_settings(LocalSettings)


def passed_on() -> dict[str, str]:
    """Return what the person set of the functions' own settings; the environment wins over `.env`."""
    values = dotenv_values(".env") | os.environ
    judgement = DriftMonitorSettings.model_fields.keys() - DatabaseSettings.model_fields.keys() - MADE
    names = {*PASSED_ON, *map(str.upper, judgement)}
    return {name: value for name in sorted(names) if (value := values.get(name))}


def external_database() -> DatabaseSettings | None:
    """Return the Postgres that DATABASE_HOST names, or None when there should be one of our own."""
    return read_settings(DatabaseSettings) if local_settings().database_host else None
