"""An external Postgres, such as the one of compose.yaml. It is neither started nor stopped here."""

from pydantic import SecretStr
from sentiment.database.session import DatabaseSettings
from sentiment.exceptions import ConfigurationError

from local.processes import accepts, wait_until

WAIT_SECONDS = 60.0  # it may be starting too


def wait_for(settings: DatabaseSettings, *, seconds: float = WAIT_SECONDS) -> None:
    """Wait until the server accepts connections; raises ConfigurationError after `seconds`."""
    host, port = settings.database_host, settings.database_port
    if not wait_until(lambda: accepts(port, host), seconds=seconds, pause_seconds=0.2):
        raise ConfigurationError(
            f"Postgres at {host}:{port} (DATABASE_HOST, DATABASE_PORT) cannot be reached; start it, or unset "
            "DATABASE_HOST to use the embedded one"
        )


def environment_of(settings: DatabaseSettings) -> dict[str, str]:
    """Return the variables with which functions connect to this server."""
    values = {name: getattr(settings, name) for name in DatabaseSettings.model_fields}
    return {
        name.upper(): value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in values.items()
        if value is not None
    }
