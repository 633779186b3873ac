"""The laptop's Postgres: starting on data, locks and processes left by earlier runs."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pg8000.native
import psutil
import pytest
from sentiment.exceptions import ConfigurationError

from local.postgres.server import PostgresServer, running_postgres
from tests.fixtures.postgres import server_folder

__all__ = ["server_folder"]

PASSWORD = "of-these-tests"


@pytest.fixture(scope="module")
def made_folder() -> Iterator[Path]:
    """A folder in which a server ran and was stopped cleanly."""
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        with running_postgres(Path(folder), password=PASSWORD) as server:
            run(server, "CREATE TABLE kept (n int)")
        yield Path(folder)


def run(server: PostgresServer, statement: str) -> list[list[object]]:
    environment = server.environment()
    connection = pg8000.native.Connection(
        host=environment["DATABASE_HOST"],
        port=int(environment["DATABASE_PORT"]),
        user=environment["DATABASE_USER"],
        password=environment["DATABASE_PASSWORD"],
        database=environment["DATABASE_NAME"],
    )
    try:
        return connection.run(statement) or []
    finally:
        connection.close()


def kept(server: PostgresServer) -> bool:
    return run(server, "SELECT to_regclass('kept') IS NOT NULL") == [[True]]


def test_starts_again_on_its_data_within_two_seconds(made_folder: Path) -> None:
    started = time.monotonic()
    with running_postgres(made_folder, password=PASSWORD) as server:
        assert time.monotonic() - started < 2
        assert kept(server)
    assert not (made_folder / "data" / "postmaster.pid").exists()


def test_a_killed_server_starts_again_with_what_was_committed(server_folder: Path) -> None:
    with running_postgres(server_folder, password=PASSWORD, durable=False) as server:
        for number in range(3):
            run(server, f"CREATE TABLE t{number} (n int)")
            server.kill()
            with pytest.raises(ConfigurationError, match="is not running"):
                _ = server.pid
            server.start()
        assert run(server, "SELECT count(*) FROM pg_tables WHERE tablename LIKE 't_'") == [[3]]


def test_a_wrong_password_is_rejected(made_folder: Path) -> None:
    with running_postgres(made_folder, password=PASSWORD) as server:
        server.password = "another"
        with pytest.raises(pg8000.native.DatabaseError, match="password authentication failed"):
            run(server, "SELECT 1")


def test_data_created_with_another_password_is_named(made_folder: Path) -> None:
    with (
        pytest.raises(ConfigurationError, match="created with another one; restore that password, or delete"),
        running_postgres(made_folder, password="new secrets"),
    ):
        pass
    with running_postgres(made_folder, password=PASSWORD) as server:
        assert kept(server)


def test_a_port_in_use_is_named_with_the_variable_to_change(made_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with (
            pytest.raises(ConfigurationError, match=rf"port {port} is taken.* set MY_PORT to another"),
            running_postgres(made_folder, password=PASSWORD, port=port, port_variable="MY_PORT"),
        ):
            pass


def test_the_given_port_is_used(made_folder: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with running_postgres(made_folder, password=PASSWORD, port=port) as server:
        assert server.environment()["DATABASE_PORT"] == str(port)
        assert kept(server)


def test_a_folder_in_use_is_named(made_folder: Path) -> None:
    with (
        running_postgres(made_folder, password=PASSWORD),
        pytest.raises(ConfigurationError, match="in use by another running process"),
        running_postgres(made_folder, password=PASSWORD),
    ):
        pass


def test_an_orphaned_server_is_stopped_and_its_data_kept(made_folder: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom local.postgres.server import running_postgres\n"
        "with running_postgres(Path(sys.argv[1]), password=sys.argv[2]) as server:\n"
        "    print(server.pid, flush=True)\n    time.sleep(60)"
    )
    command = [sys.executable, "-c", code, made_folder, PASSWORD]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        orphan = int(owner.stdout.readline())
        owner.kill()
    assert psutil.pid_exists(orphan)

    with running_postgres(made_folder, password=PASSWORD) as server:
        assert not is_alive(orphan)
        assert kept(server)


def is_alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_a_pid_file_with_the_pid_of_another_process_is_removed(made_folder: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as bystander:
        lines = [str(bystander.pid), str(made_folder / "data"), "0", "5432", "", "127.0.0.1", "0 0", "ready"]
        (made_folder / "data" / "postmaster.pid").write_text("\n".join(lines))
        with running_postgres(made_folder, password=PASSWORD) as server:
            assert kept(server)
        assert bystander.poll() is None
        bystander.send_signal(signal.SIGKILL)


@pytest.mark.parametrize("left", ["", "not a pid"])
def test_a_damaged_pid_file_is_removed(made_folder: Path, left: str) -> None:
    (made_folder / "data" / "postmaster.pid").write_text(left)
    with running_postgres(made_folder, password=PASSWORD) as server:
        assert kept(server)


def test_incomplete_data_is_created_again(server_folder: Path) -> None:
    partial = server_folder / "data.partial"
    partial.mkdir()
    (partial / "PG_VERSION").write_text("18\n")
    with running_postgres(server_folder, password=PASSWORD) as server:
        assert run(server, "SELECT 1") == [[1]]
    assert not partial.exists()


@pytest.mark.parametrize(("version", "found"), [("16\n", "Postgres 16"), (None, "an unknown program")])
def test_data_of_another_version_is_named_and_kept(
    server_folder: Path, version: str | None, found: str
) -> None:
    (server_folder / "data").mkdir()
    if version:
        (server_folder / "data" / "PG_VERSION").write_text(version)
    message = f"created by {found}, this is Postgres 18; move or delete it"
    with (
        pytest.raises(ConfigurationError, match=message),
        running_postgres(server_folder, password=PASSWORD),
    ):
        pass
    assert (server_folder / "data").exists()


def test_data_that_postgres_cannot_read_is_named_with_its_log(server_folder: Path) -> None:
    with running_postgres(server_folder, password=PASSWORD):
        pass
    (server_folder / "data" / "global" / "pg_control").write_bytes(b"damaged")
    with (
        pytest.raises(ConfigurationError, match=r"did not start in .*: .*PANIC.*see .*postgres\.log"),
        running_postgres(server_folder, password=PASSWORD),
    ):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root leaves its account to run Postgres")
def test_a_folder_that_only_root_may_enter_works(server_folder: Path) -> None:
    closed = server_folder / "closed"
    closed.mkdir(mode=0o700)
    with running_postgres(closed / "postgres", password=PASSWORD) as server:
        assert run(server, "SELECT 1") == [[1]]
    assert closed.stat().st_mode & 0o777 == 0o701  # may be passed through, not listed
