"""A state folder such as `.local/up`: its owner, its secrets, and the processes started from it.

The folder persists between runs and holds the data of Postgres. It can be deleted while no system runs on it;
the next run then starts with an empty database.
"""

import fcntl
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values
from sentiment.exceptions import ConfigurationError

from local.processes import ProcessRegister

SECRETS = ("DATABASE_PASSWORD", "INPUT_HASH_KEY")


@dataclass(frozen=True)
class StateFolder:
    """A folder that this process owns."""

    path: Path
    processes: ProcessRegister
    leftovers: int  # processes of an interrupted run that were ended

    @property
    def logs(self) -> Path:
        """Return the folder with one log per process."""
        return self.path / "logs"

    def secrets(self) -> dict[str, str]:
        """Return this folder's secrets by variable; generated once and stored (mode 0600)."""
        path = self.path / "secrets.env"
        stored = read_environment(path)
        values = {name: stored.get(name) or secrets.token_hex(32) for name in SECRETS}
        if values != stored:
            write_environment(path, values)
        return values


@contextmanager
def owned_state(folder: Path) -> Iterator[StateFolder]:
    """Own the folder while the block runs, create it if needed, and end the processes of an interrupted run.

    Raises ConfigurationError with the process id when another process owns it.
    """
    folder = folder.resolve()
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    with (folder / "owner.pid").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigurationError(
                f"{folder} is in use by process {running_owner(folder)}; stop it first (Ctrl-C in its "
                "terminal) or use another folder"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        processes = ProcessRegister(folder / "processes.jsonl")
        state = StateFolder(folder, processes, processes.end_leftovers())
        try:
            yield state
        finally:
            processes.end_leftovers()
            lock.truncate(0)


def running_owner(folder: Path) -> int | None:
    """Return the id of the process that owns this folder, or None."""
    path = folder / "owner.pid"
    if not path.exists():
        return None
    with path.open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return int(path.read_text() or 0)
    return None


def read_environment(path: Path) -> dict[str, str]:
    """Return the variables of a `.env` file; none if it does not exist."""
    return {name: value for name, value in dotenv_values(path).items() if value}


def write_environment(path: Path, values: Mapping[str, str]) -> None:
    """Write variables atomically to a `.env` file that only this user can read."""
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.writelines(f"{name}={value}\n" for name, value in values.items())
    partial.replace(path)
