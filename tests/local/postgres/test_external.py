"""The environment of an external Postgres."""

import pytest
from sentiment.database.session import DatabaseSettings
from sentiment.exceptions import ConfigurationError

from local.postgres.external import environment_of, wait_for
from local.processes import free_port

GIVEN = {
    "database_host": "127.0.0.1",
    "database_port": 6543,
    "database_name": "sentiment",
    "database_user": "external",
    "database_auth": "password",
    "database_password": "of-the-tests",
    "database_tls": "off",
}


def test_the_functions_read_the_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = DatabaseSettings.model_validate(GIVEN)
    found = environment_of(settings)
    assert found["DATABASE_PASSWORD"] == "of-the-tests"
    assert "DATABASE_SECRET_ARN" not in found, "a missing value stays missing"
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    assert DatabaseSettings() == settings  # type: ignore[call-arg]


def test_an_unreachable_server_is_named_with_a_fix() -> None:
    port = free_port()
    settings = DatabaseSettings.model_validate(GIVEN | {"database_port": port})
    with pytest.raises(ConfigurationError, match=f"127.0.0.1:{port}.*unset DATABASE_HOST"):
        wait_for(settings, seconds=0.1)
