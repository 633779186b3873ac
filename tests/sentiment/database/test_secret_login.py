"""The password in Secrets Manager is read for each connection, never in the environment and never shown."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from sentiment.database.session import DatabaseSettings, make_engine, transaction
from sentiment.exceptions import DatabaseError
from sentiment.settings import read_settings
from sqlalchemy import Engine, text

from local.postgres.server import PostgresServer


@pytest.fixture
def secrets(database: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Secrets Manager, and settings without another password."""
    for name, value in [("ACCESS_KEY_ID", "x"), ("SECRET_ACCESS_KEY", "x")]:
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.delenv("DATABASE_PASSWORD")
    with mock_aws():
        yield boto3.client("secretsmanager")


@pytest.fixture
def keep(secrets: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Store a value as the secret and return an engine that logs in with it."""
    engines: list[Engine] = []

    def keep(value: str) -> Engine:
        arn = secrets.create_secret(Name="administrator", SecretString=value)["ARN"]
        monkeypatch.setenv("DATABASE_SECRET_ARN", arn)
        engines.append(make_engine(read_settings(DatabaseSettings)))
        return engines[-1]

    yield keep
    for engine in engines:
        engine.dispose()


def as_rds_writes_it(password: str) -> str:
    return json.dumps({"username": "sentiment", "password": password})


def log_in(engine: Engine) -> None:
    with transaction(engine) as session:
        session.execute(text("SELECT 1"))


def test_the_password_is_read_from_the_secret(keep: Any, postgres: PostgresServer) -> None:
    log_in(keep(as_rds_writes_it(postgres.password)))


def test_a_rotated_password_needs_no_restart(keep: Any, secrets: Any, postgres: PostgresServer) -> None:
    engine = keep(as_rds_writes_it("rotated-away"))
    with pytest.raises(DatabaseError, match="password authentication failed"):
        log_in(engine)
    secrets.put_secret_value(SecretId="administrator", SecretString=as_rds_writes_it(postgres.password))
    log_in(engine)


@pytest.mark.parametrize("value", ["not json: hunter2", '["hunter2"]', '{"secret": "hunter2"}'])
def test_an_invalid_secret_is_named_but_not_shown(keep: Any, value: str) -> None:
    with pytest.raises(DatabaseError, match=r"DATABASE_SECRET_ARN .*administrator.* is not JSON") as caught:
        log_in(keep(value))
    assert "hunter2" not in str(caught.value)


def test_a_deleted_secret_is_named(keep: Any, secrets: Any) -> None:
    engine = keep("{}")
    secrets.delete_secret(SecretId="administrator", ForceDeleteWithoutRecovery=True)
    with pytest.raises(DatabaseError, match=r"DATABASE_SECRET_ARN .* cannot be read: .*ResourceNotFound"):
        log_in(engine)
