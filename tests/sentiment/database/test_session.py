import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

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
