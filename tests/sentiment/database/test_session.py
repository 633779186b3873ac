import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from sentiment.database.session import DatabaseSettings, make_engine, tls, transaction
from sentiment.exceptions import ConfigurationError, DatabaseError
from sentiment.settings import read_settings
from sqlalchemy import Engine, text

from local.postgres.server import PostgresServer

REQUIRED = {"DATABASE_HOST": "db.example.org", "DATABASE_NAME": "sentiment", "DATABASE_USER": "log_writer"}


@pytest.fixture(autouse=True)
def _only_the_required_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # where there is no .env
    for variable, value in REQUIRED.items():
        monkeypatch.setenv(variable, value)


def test_iam_over_verified_tls_is_the_default() -> None:
    settings = read_settings(DatabaseSettings)
    assert (settings.database_auth, settings.database_tls, settings.database_port) == ("iam", "verify", 5432)


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"DATABASE_HOST": ""}, "DATABASE_HOST: is not set"),
        ({"DATABASE_AUTH": "password"}, "DATABASE_PASSWORD or DATABASE_SECRET_ARN is required"),
        ({"DATABASE_AUTH": "password", "DATABASE_PASSWORD": "changeme"}, "is a placeholder"),
        ({"DATABASE_TLS": "off"}, "DATABASE_TLS must be verify"),
        ({"DATABASE_TLS": "prefer"}, "DATABASE_TLS"),
        ({"DATABASE_CA_FILE": "/nowhere.pem"}, "/nowhere.pem is not a file"),
        ({"DATABASE_PORT": "70000"}, "DATABASE_PORT"),
    ],
)
def test_an_invalid_combination_of_settings_is_named(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], problem: str
) -> None:
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=problem):
        read_settings(DatabaseSettings)


def test_rds_is_verified_with_its_own_cas_and_others_with_the_systems(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_HOST", "x.y.eu-central-1.rds.amazonaws.com")
    context = tls(read_settings(DatabaseSettings))
    assert isinstance(context, ssl.SSLContext)
    names = {dict(pair[0] for pair in each["subject"])["commonName"] for each in context.get_ca_certs()}
    assert "Amazon RDS eu-central-1 Root CA RSA2048 G1" in names
    assert names and not {name for name in names if not name.startswith("Amazon RDS")}
    assert context.verify_mode is ssl.CERT_REQUIRED and context.check_hostname

    monkeypatch.setenv("DATABASE_HOST", "db.example.org")
    others = tls(read_settings(DatabaseSettings))
    assert isinstance(others, ssl.SSLContext)
    assert not any("Amazon RDS" in str(each["subject"]) for each in others.get_ca_certs())


def test_iam_logs_in_with_a_token_over_tls_with_the_given_ca(
    monkeypatch: pytest.MonkeyPatch, self_signed: tuple[Path, Path]
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-a-test")
    monkeypatch.setenv("DATABASE_CA_FILE", str(self_signed[0]))
    with pretended_postgres(monkeypatch, self_signed) as (port, passwords):
        engine = make_engine(read_settings(DatabaseSettings))
        for _ in range(2):
            with pytest.raises(DatabaseError, match="network error"), transaction(engine) as session:
                session.execute(text("SELECT 1"))

    assert len(passwords) == 2  # a token for each connection
    for password in passwords:
        assert password.startswith(f"127.0.0.1:{port}/?Action=connect&DBUser=log_writer")
        assert "X-Amz-Expires=900" in password


def test_no_password_is_sent_to_a_server_with_an_untrusted_certificate(
    monkeypatch: pytest.MonkeyPatch, self_signed: tuple[Path, Path]
) -> None:
    monkeypatch.setenv("DATABASE_AUTH", "password")
    monkeypatch.setenv("DATABASE_PASSWORD", "must-not-travel")
    with pretended_postgres(monkeypatch, self_signed) as (_, passwords):
        engine = make_engine(read_settings(DatabaseSettings))
        for _ in range(2):
            with (
                pytest.raises(DatabaseError, match="certificate verify failed"),
                transaction(engine) as session,
            ):
                session.execute(text("SELECT 1"))
    assert passwords == []


@contextmanager
def pretended_postgres(
    monkeypatch: pytest.MonkeyPatch, certificate: tuple[Path, Path]
) -> Iterator[tuple[int, list[str]]]:
    """Run a server that requests the passwords of two clients over TLS, records them and disconnects."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*certificate)
    passwords: list[str] = []

    def serve() -> None:
        for _ in range(2):
            plain, _address = listener.accept()
            plain.recv(8)  # SSLRequest
            plain.sendall(b"S")
            with plain, suppress(ssl.SSLError), tls.wrap_socket(plain, server_side=True) as connection:
                connection.recv(1024)  # StartupMessage
                connection.sendall(b"R" + struct.pack("!ii", 8, 3))  # AuthenticationCleartextPassword
                passwords.append(connection.recv(4096)[5:-1].decode())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        monkeypatch.setenv("DATABASE_HOST", "127.0.0.1")
        monkeypatch.setenv("DATABASE_PORT", str(port))
        server = threading.Thread(target=serve)
        server.start()
        yield port, passwords
        server.join()


def test_a_connection_never_outlives_the_token_it_was_opened_with() -> None:
    pool = make_engine(read_settings(DatabaseSettings)).pool
    assert pool._recycle < 15 * 60


def test_a_function_holds_one_connection_and_a_server_several() -> None:
    settings = read_settings(DatabaseSettings)
    for engine, size in [(make_engine(settings), 1), (make_engine(settings, pool_size=8), 8)]:
        assert (engine.pool.size(), engine.pool._max_overflow) == (size, 0)  # type: ignore[attr-defined]


def test_a_server_without_tls_is_rejected(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in {**postgres.environment(), "DATABASE_TLS": "verify"}.items():
        monkeypatch.setenv(variable, value)
    engine = make_engine(read_settings(DatabaseSettings))
    with pytest.raises(DatabaseError, match="Server refuses SSL"), transaction(engine) as session:
        session.execute(text("SELECT 1"))


def test_a_slow_statement_times_out(
    database: Engine, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in {**postgres.environment(), "DATABASE_TIMEOUT_SECONDS": "1"}.items():
        monkeypatch.setenv(variable, value)
    engine = make_engine(read_settings(DatabaseSettings))
    with (
        pytest.raises(DatabaseError, match=r"statement timeout \(57014\)"),
        transaction(engine) as session,
    ):
        session.execute(text("SELECT pg_sleep(5)"))
    engine.dispose()


def test_a_transaction_commits_at_its_end_and_rolls_back_on_an_error(database: Engine) -> None:
    with transaction(database) as session:
        session.execute(text("CREATE TABLE kept (n int)"))
    with pytest.raises(RuntimeError), transaction(database) as session:
        session.execute(text("CREATE TABLE not_kept (n int)"))
        raise RuntimeError
    with transaction(database) as session:
        found = session.scalars(text("SELECT tablename FROM pg_tables WHERE tablename LIKE '%kept'")).all()
    assert found == ["kept"]


def test_an_error_of_postgres_does_not_repeat_the_row(database: Engine) -> None:
    with transaction(database) as session:
        session.execute(text("CREATE TABLE notes (note text CHECK (note = ''))"))
    with pytest.raises(DatabaseError) as caught, transaction(database) as session:
        session.execute(text("INSERT INTO notes VALUES (:note)"), {"note": "words of a user"})
    assert "notes_note_check" in str(caught.value)
    assert "words of a user" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_an_error_of_the_caller_is_not_blamed_on_postgres(database: Engine) -> None:
    with pytest.raises(FileNotFoundError), transaction(database):
        Path("no such folder/export.csv").write_text("")


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
def relayed(database: Engine, relay: Relay, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
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
