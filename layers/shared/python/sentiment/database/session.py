"""Connections to Postgres: settings, TLS, IAM logins, and a pool that suits Lambda.

Callers open sessions and transactions, and only they commit.
"""

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import pg8000
from pydantic import Field, model_validator
from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from sentiment.exceptions import DatabaseError
from sentiment.settings import Secret, Settings

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

# An IAM token can open a connection for 15 minutes (RDS user guide, "IAM database authentication"); a
# connection younger than this never outlives the token it was opened with.
RECYCLE_SECONDS = 600
CONNECT_SECONDS = 5
# No operating system trusts RDS's own CAs ("Using SSL/TLS to encrypt a connection", RDS user guide).
RDS_DOMAINS = (".rds.amazonaws.com", ".rds.amazonaws.com.cn")
RDS_CA_BUNDLE = Path(__file__).with_name("rds-ca-bundle.pem")


class DatabaseSettings(Settings):
    """Where Postgres is and how to log in. IAM tokens are sent over verified TLS only."""

    database_host: str
    database_port: int = Field(default=5432, ge=1, le=65535)
    database_name: str
    database_user: str
    database_auth: Literal["iam", "password"] = "iam"
    database_password: Secret | None = None
    database_secret_arn: str | None = None  # of a secret in Secrets Manager: JSON with the "password"
    database_tls: Literal["verify", "off"] = "verify"
    database_ca_file: Path | None = None  # None: RDS's own CAs for RDS, else the system's
    database_timeout_seconds: int = Field(default=10, ge=1)  # of one statement

    @model_validator(mode="after")
    def _check_login(self) -> Self:
        if self.database_auth == "password" and (self.database_password or self.database_secret_arn) is None:
            raise ValueError(
                "DATABASE_PASSWORD or DATABASE_SECRET_ARN is required when DATABASE_AUTH is password"
            )
        if self.database_auth == "iam" and self.database_tls == "off":
            raise ValueError("DATABASE_TLS must be verify when DATABASE_AUTH is iam: a token is a credential")
        if self.database_ca_file is not None and not self.database_ca_file.is_file():
            raise ValueError(f"DATABASE_CA_FILE {self.database_ca_file} is not a file")
        return self


class Connection(pg8000.Connection):
    """The driver's connection, which is given up whenever a result was not read to its end.

    pg8000 1.31.6 leaves the rest of such a result in the stream, and every later statement then gets the
    result of the one before it: an INSERT would count as done that failed. Only the server's own errors are
    raised after the whole result was read. SQLAlchemy replaces a connection only on the driver's own error.
    """

    def handle_messages(self, context: Any) -> None:
        """Read one result; raises InterfaceError when the connection can no longer be used."""
        try:
            super().handle_messages(context)
        except pg8000.DatabaseError:
            raise
        except Exception as error:
            reason = str(error) if isinstance(error, OSError | pg8000.Error) else type(error).__name__
            # The words by which SQLAlchemy's dialect knows a lost connection.
            raise pg8000.InterfaceError(f"network error: {reason}") from error


def make_engine(settings: DatabaseSettings, *, pool_size: int = 1) -> Engine:
    """Create an engine without connecting; a Lambda instance needs one connection, a server several.

    Connections are checked before use, and replaced before they are older than an IAM token can be.
    """
    url = URL.create(
        "postgresql+pg8000",
        username=settings.database_user,
        host=settings.database_host,
        port=settings.database_port,
        database=settings.database_name,
    )
    timeout_ms = settings.database_timeout_seconds * 1000
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_pre_ping=True,
        pool_recycle=RECYCLE_SECONDS,
        hide_parameters=True,  # parameters hold user text, and errors are logged
        connect_args={
            "ssl_context": tls(settings),
            "startup_params": {
                "statement_timeout": str(timeout_ms),
                # A Lambda frozen in the middle of a transaction must not hold its locks for hours.
                "idle_in_transaction_session_timeout": str(2 * timeout_ms),
            },
        },
    )

    @event.listens_for(engine, "do_connect")
    def log_in(_dialect: Any, _record: Any, _arguments: Any, parameters: dict[str, Any]) -> Any:
        password = _password(settings)
        try:
            return Connection(**parameters, password=password, sock=_open_socket(settings))
        except OSError as error:  # no connection or no TLS, which the driver does not turn into its own error
            raise DatabaseError(f"{_address(engine)} cannot be reached: {error}") from None

    return engine


@contextmanager
def transaction(engine: Engine) -> Iterator[Session]:
    """Open a session that commits at the end of the block and rolls back on any error.

    Raises DatabaseError if Postgres returns an error or cannot be reached. After a failed commit the caller
    cannot know whether it happened, so the work must be safe to repeat.
    """
    try:
        with Session(engine) as session, session.begin():
            yield session
    except DBAPIError as error:
        raise DatabaseError(f"{_address(engine)}: {describe(error)}") from None


def sqlstate(error: DBAPIError) -> str:
    """Return Postgres's five-character error code, or "" if the connection failed."""
    report = _report(error)
    return str(report.get("C", "")) if isinstance(report, dict) else ""


def describe(error: DBAPIError) -> str:
    """Describe the error of Postgres or the network in one line, without the row, which may contain text."""
    report = _report(error)
    return f"{report.get('M')} ({report.get('C')})" if isinstance(report, dict) else str(report)


def _report(error: DBAPIError) -> Any:
    """Return the fields of Postgres's error as the driver reports them, or its message."""
    return error.orig.args[0] if error.orig is not None and error.orig.args else error.orig


def _address(engine: Engine) -> str:
    return f"Postgres at {engine.url.host}:{engine.url.port}"


def tls(settings: DatabaseSettings) -> ssl.SSLContext | Literal[False]:
    """Return the context that verifies the server's certificate and name, or False if TLS is off."""
    if settings.database_tls == "off":
        return False
    is_rds = settings.database_host.endswith(RDS_DOMAINS)
    return ssl.create_default_context(cafile=settings.database_ca_file or (RDS_CA_BUNDLE if is_rds else None))


def _open_socket(settings: DatabaseSettings) -> socket.socket:
    """Connect without Nagle's algorithm: the driver flushes in pieces, which cost up to 40 ms a batch."""
    opened = socket.create_connection((settings.database_host, settings.database_port), CONNECT_SECONDS)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # Longer than the server's timeout, so that a slow statement ends with the server's error.
    opened.settimeout(settings.database_timeout_seconds + CONNECT_SECONDS)
    return opened


def _password(settings: DatabaseSettings) -> str:
    """Return the password of one connection; read each time, so a rotated secret needs no restart."""
    if settings.database_auth == "password" and settings.database_password is not None:
        return settings.database_password.get_secret_value()
    import boto3  # 140 ms that a configured password does not need

    if settings.database_auth == "password":
        return _stored_password(boto3.client("secretsmanager"), str(settings.database_secret_arn))
    token: str = boto3.client("rds").generate_db_auth_token(
        DBHostname=settings.database_host, Port=settings.database_port, DBUsername=settings.database_user
    )
    return token


def _stored_password(secrets: "SecretsManagerClient", arn: str) -> str:
    """Read the password from a secret in RDS's format; raises DatabaseError without showing the secret."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        secret = json.loads(secrets.get_secret_value(SecretId=arn)["SecretString"])
        return str(secret["password"])
    except (BotoCoreError, ClientError) as error:
        raise DatabaseError(f"DATABASE_SECRET_ARN {arn} cannot be read: {error}") from None
    except (KeyError, TypeError, ValueError):
        raise DatabaseError(f'DATABASE_SECRET_ARN {arn} is not JSON with a "password"') from None
