"""What a person may choose about the local system, in the environment or `.env`; all of it has defaults."""

import os
from pathlib import Path

from dotenv import dotenv_values
from pydantic import Field
from sentiment.settings import Secret, Settings, read_settings

# Settings of the functions that are passed on as they are; all others describe the system and are made by it.
PASSED_ON = ("CACHE_ENTRIES", "CORS_ORIGINS", "LOG_LEVEL", "PRIVACY_MODE", "RETENTION_MONTHS", "THREADS")


class LocalSettings(Settings):
    """Ports of `sentiment up`, the artefact it serves, and where it keeps its state."""

    api_port: int = Field(default=8000, ge=1, le=65535)
    postgres_port: int = Field(default=15432, ge=1, le=65535)
    aws_port: int = Field(default=14566, ge=1, le=65535)
    model_dir: Path = Path("artifacts/model")
    state_dir: Path = Path(".local")
    input_hash_key: Secret | None = None  # None: made at random and kept in the state folder

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
    return {name: value for name in PASSED_ON if (value := values.get(name))}
