"""The processes that the local system starts, and their ports.

Each process runs in its own session, so that Ctrl-C reaches only this process, which stops the others in
order. Each is registered in the state folder, so that the next run can end the processes of an interrupted
one. Nothing here knows what the programs do.
"""

import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil
from sentiment.exceptions import ConfigurationError

HOST = "127.0.0.1"
STOP_SECONDS = 5.0
# The variables that a process inherits; all others are passed explicitly.
INHERITED = ("HOME", "LANG", "PATH", "SYSTEMROOT", "TMPDIR", "VIRTUAL_ENV")


class ProcessRegister:
    """The processes started from one state folder, registered in a file that outlives this process."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def start(
        self, command: Sequence[str | Path], *, log: Path, environment: Mapping[str, str], folder: Path
    ) -> "subprocess.Popen[bytes]":
        """Start a program in `folder` with exactly this environment; its output is appended to `log`."""
        with log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={name: os.environ[name] for name in INHERITED if name in os.environ} | dict(environment),
                cwd=folder,
                start_new_session=True,
            )
        with suppress(psutil.NoSuchProcess):  # it may have ended already, which the caller detects
            entry = {"pid": process.pid, "created": psutil.Process(process.pid).create_time()}
            with self._path.open("a") as register:
                register.write(json.dumps(entry) + "\n")
        return process

    def end_leftovers(self) -> int:
        """End the processes of an interrupted run, but none that reuses a pid; return how many."""
        ended = 0
        with suppress(FileNotFoundError):
            for line in self._path.read_text().splitlines():
                with suppress(ValueError, KeyError, psutil.NoSuchProcess):
                    entry = json.loads(line)
                    process = psutil.Process(entry["pid"])
                    if abs(process.create_time() - entry["created"]) < 0.01:
                        _end_tree(process)
                        ended += 1
            self._path.unlink()
        return ended


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Stop a process and its children: with SIGTERM, and after five seconds with SIGKILL."""
    with suppress(psutil.NoSuchProcess):
        _end_tree(psutil.Process(process.pid))
    process.wait()


def free_port() -> int:
    """Return a port of this machine that is free at the moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def port_is_free(port: int) -> bool:
    """Return whether this port of 127.0.0.1 is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def claim_port(port: int | None, *, user: str, variable: str) -> int:
    """Return the port, or a free one for None; raises ConfigurationError if it is taken."""
    if port is None:
        return free_port()
    if not port_is_free(port):
        raise ConfigurationError(
            f"port {port} is taken, so {user} cannot use it; free it or set {variable} to another"
        )
    return port


def accepts(port: int, host: str = HOST) -> bool:
    """Return whether a server accepts connections on this port."""
    with suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


def is_alive(process: psutil.Process) -> bool:
    """Return whether a process runs; a zombie does not."""
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def wait_until(condition: Callable[[], bool], *, seconds: float, pause_seconds: float = 0.02) -> bool:
    """Poll until the condition holds or the time is up; return whether it held."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause_seconds)
    return True


def _end_tree(process: psutil.Process) -> None:
    tree = [process, *process.children(recursive=True)]
    with suppress(psutil.NoSuchProcess):
        process.terminate()
    if wait_until(lambda: not any(map(is_alive, tree)), seconds=STOP_SECONDS):
        return
    for survivor in filter(is_alive, tree):
        with suppress(psutil.NoSuchProcess):
            survivor.kill()
    wait_until(lambda: not any(map(is_alive, tree)), seconds=STOP_SECONDS)
