"""A connection that broke, or whose result was not read to its end, is never used again."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sentiment.database.session import DatabaseSettings, make_engine, transaction
from sentiment.exceptions import DatabaseError
from sentiment.settings import read_settings
from sqlalchemy import Engine, text

from local.postgres.server import PostgresServer


class Relay:
    """A proxy to Postgres that can reset connections, as networks do."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = (server.host, server.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.connections: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def break_off(self) -> None:
        """Reset every open connection."""
        for connection in filter(lambda each: each.fileno() >= 0, self.connections):
            # With a linger time of 0, closing sends a reset.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()

    def close(self) -> None:
        self._listener.close()
        self.break_off()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
                self.connections.append(client)
                for source, target in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    @staticmethod
    def _pass_on(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while content := source.recv(65536):
                target.sendall(content)
        target.close()


@pytest.fixture
def relay(postgres: PostgresServer) -> Iterator[Relay]:
    relay = Relay(postgres)
    yield relay
    relay.close()


@pytest.fixture
def relayed(
    database: Engine, relay: Relay, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Engine]:
    monkeypatch.chdir(tmp_path)  # where there is no .env
    monkeypatch.setenv("DATABASE_PORT", str(relay.port))
    engine = make_engine(read_settings(DatabaseSettings))
    yield engine
    engine.dispose()


def test_a_connection_that_was_reset_in_the_pool_is_replaced(relayed: Engine, relay: Relay) -> None:
    with transaction(relayed) as session:
        session.execute(text("SELECT 1"))
    relay.break_off()
    with transaction(relayed) as session:
        assert session.scalar(text("SELECT 2")) == 2
    assert len(relay.connections) == 2


def test_a_connection_whose_next_read_fails_is_replaced(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.connect() as connection:
        pooled: Any = connection.connection.dbapi_connection
    with monkeypatch.context() as patch:
        patch.setattr(pooled, "_sock", ResetOnRead(pooled._sock))
        with transaction(database) as session:
            assert session.scalar(text("SELECT 2")) == 2
            assert session.connection().connection.dbapi_connection is not pooled


def test_a_reset_during_a_statement_is_a_database_error(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DatabaseError, match="network error"), transaction(database) as session:
        pooled: Any = session.connection().connection.dbapi_connection
        monkeypatch.setattr(pooled, "_sock", ResetOnRead(pooled._sock))
        session.execute(text("SELECT 1"))


class ResetOnRead:
    """A connection's file whose reads fail with a reset; otherwise a write or a read may fail first."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, _size: int) -> bytes:
        raise ConnectionResetError(104, "Connection reset by peer")


def test_a_value_that_the_driver_cannot_read_leaves_no_rows_to_the_next_statement(database: Engine) -> None:
    with pytest.raises(DatabaseError, match="ValueError"), transaction(database) as session:
        session.execute(text("SELECT '24:00:00'::time"))  # Python has no such time

    for word in ("one", "two", "three"):
        with transaction(database) as session:
            assert session.execute(text(f"SELECT '{word}'")).scalar_one() == word


def test_a_statement_that_fails_after_an_unreadable_value_is_not_counted_as_done(database: Engine) -> None:
    with suppress(DatabaseError), transaction(database) as session:
        session.execute(text("SELECT '24:00:00'::time"))

    with pytest.raises(DatabaseError, match="does not exist"), transaction(database) as session:
        session.execute(text("INSERT INTO nowhere VALUES (1)"))
