"""A Postgres of somebody else: where it is, as every function reads it."""

import pytest
from sentiment.database.session import DatabaseSettings
from sentiment.exceptions import ConfigurationError

from local.postgres.external import reach, variables
from local.processes import free_port

GIVEN = {
    "database_host": "127.0.0.1",
    "database_port": 6543,
    "database_name": "sentiment",
    "database_user": "somebody",
    "database_auth": "password",
    "database_password": "of-the-tests",
    "database_tls": "off",
}


def test_the_variables_are_those_that_the_functions_read(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = DatabaseSettings.model_validate(GIVEN)
    found = variables(settings)
    assert found["DATABASE_PASSWORD"] == "of-the-tests"
    assert "DATABASE_SECRET_ARN" not in found, "what is not set is not set to a word"
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    assert DatabaseSettings() == settings  # type: ignore[call-arg]


def test_a_server_that_is_not_there_is_named_with_the_mend() -> None:
    port = free_port()
    settings = DatabaseSettings.model_validate(GIVEN | {"database_port": port})
    with pytest.raises(ConfigurationError, match=f"127.0.0.1:{port}.*unset DATABASE_HOST"):
        reach(settings, seconds=0.1)
