"""One state folder such as `.local/up`: who owns it now, its secrets, and the processes started from it.

The folder outlives the system: Postgres keeps its data there between runs. Deleting it is always safe while
nothing runs on it, and starts afresh.
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
    """The folder while this process owns it."""

    path: Path
    processes: ProcessRegister
    leftovers: int  # processes of an interrupted run that were ended on the way in

    @property
    def logs(self) -> Path:
        """Return the folder with one log per program."""
        return self.path / "logs"

    def secrets(self) -> dict[str, str]:
        """Return this folder's secrets by variable, made at random the first time and kept (mode 0600)."""
        path = self.path / "secrets.env"
        known = read_environment(path)
        values = {name: known.get(name) or secrets.token_hex(32) for name in SECRETS}
        if values != known:
            write_environment(path, values)
        return values


@contextmanager
def owned_state(folder: Path) -> Iterator[StateFolder]:
    """Own the folder (made when absent) for the length of the block, and end what an interrupted run left.

    Raises ConfigurationError, naming the other process, when somebody else owns it.
    """
    folder = folder.resolve()
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    with (folder / "owner.pid").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigurationError(
                f"{folder} is in use by process {running_owner(folder)}; stop that one first (Ctrl-C in its "
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
    """Return the process id of who runs a system on this folder now, or None."""
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
    """Read the variables of a `.env` file; a missing file has none."""
    return {name: value for name, value in dotenv_values(path).items() if value}


def write_environment(path: Path, values: Mapping[str, str]) -> None:
    """Write variables as a `.env` file that only this user can read, all or nothing."""
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.writelines(f"{name}={value}\n" for name, value in values.items())
    partial.replace(path)
