"""Where commands find the queue and the database: the environment, `.env`, or a running local system."""

import os
from pathlib import Path

from dotenv import dotenv_values
from sentiment.exceptions import ConfigurationError

DEFAULT_FILE = Path(".local/up/system.env")
_local_system_variables: set[str] = set()  # set by load_environment for a running local system


def load_environment(env_file: Path | None) -> None:
    """Set the variables of a file in the environment; variables that are already set keep their value.

    Without a file: reads `.env`. If that configures neither queue nor database, reads the variables of the
    local system that is running. These are set together or not at all, so that an endpoint is never combined
    with the queue of another system.
    """
    if env_file is not None and not env_file.is_file():
        raise ConfigurationError(f"{env_file} is not a file; name one with lines such as QUEUE_URL=…")
    _set(env_file or Path(".env"))
    if env_file is None and not {"QUEUE_URL", "DATABASE_HOST", "AWS_ENDPOINT_URL"} & os.environ.keys():
        state_dir = Path(os.environ.get("STATE_DIR", ".local"))
        from local.state import running_owner

        if running_owner(state_dir / "up"):
            _local_system_variables.update(_set(state_dir / "up" / "system.env"))


def unset_local_system() -> None:
    """Unset the local system's variables again, for commands that work on AWS."""
    while _local_system_variables:
        os.environ.pop(_local_system_variables.pop(), None)


def required(variable: str, purpose: str) -> str:
    """Return a variable's value; raises ConfigurationError stating its purpose if it is not set."""
    value = os.environ.get(variable)
    if not value:
        raise ConfigurationError(
            f"{variable} is not set: it names {purpose}. Set it in the environment or .env, or start a local "
            "system with `sentiment up`"
        )
    return value


def _set(path: Path) -> set[str]:
    """Set the variables of a file that are not set yet; return their names."""
    new = {name: value for name, value in dotenv_values(path).items() if value and name not in os.environ}
    os.environ.update(new)
    return set(new)
