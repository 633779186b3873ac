"""Where the commands find a queue and a database: the environment, `.env`, or a running local system."""

import os
from pathlib import Path

from dotenv import dotenv_values
from sentiment.exceptions import ConfigurationError

DEFAULT_FILE = Path(".local/up/system.env")
_of_local_system: set[str] = set()  # variables that were set for the local system


def load_environment(env_file: Path | None) -> None:
    """Put the variables of a file into the environment, where boto3 and the settings look; what is set stays.

    Without a file: those of `.env`, and if none says where queue and database are, those of the local system
    that runs now. They are taken together or not at all, so that the one's endpoint never meets the other's
    queue.
    """
    if env_file is not None and not env_file.is_file():
        raise ConfigurationError(f"{env_file} is not a file; name one with lines such as QUEUE_URL=…")
    _set(env_file or Path(".env"))
    if env_file is None and not {"QUEUE_URL", "DATABASE_HOST", "AWS_ENDPOINT_URL"} & os.environ.keys():
        state_dir = Path(os.environ.get("STATE_DIR", ".local"))
        from local.state import running_owner

        if running_owner(state_dir / "up"):
            _of_local_system.update(_set(state_dir / "up" / "system.env"))


def leave_local_system() -> None:
    """Take the local system's variables out of the environment again, for a command about AWS itself."""
    while _of_local_system:
        os.environ.pop(_of_local_system.pop(), None)


def needed(variable: str, what: str) -> str:
    """Return a variable's value; raises ConfigurationError saying what it is for."""
    value = os.environ.get(variable)
    if not value:
        raise ConfigurationError(
            f"{variable} is not set: it names {what}. Set it in the environment or .env, or start a local "
            "system with `sentiment up`"
        )
    return value


def _set(path: Path) -> set[str]:
    """Set the variables of a file that are not set yet; return their names."""
    new = {name: value for name, value in dotenv_values(path).items() if value and name not in os.environ}
    os.environ.update(new)
    return set(new)
