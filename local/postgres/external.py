"""A Postgres that somebody else runs, such as the one of compose.yaml. Nothing here starts or stops it."""

from pydantic import SecretStr
from sentiment.database.session import DatabaseSettings
from sentiment.exceptions import ConfigurationError

from local.processes import accepts, wait_until

REACH_SECONDS = 60.0  # it may be starting beside us


def reach(settings: DatabaseSettings, *, seconds: float = REACH_SECONDS) -> None:
    """Wait until the server listens; raises ConfigurationError when it does not in that time."""
    host, port = settings.database_host, settings.database_port
    if not wait_until(lambda: accepts(port, host), seconds=seconds, pause_seconds=0.2):
        raise ConfigurationError(
            f"nobody listens on {host}:{port}, which DATABASE_HOST and DATABASE_PORT name; start Postgres "
            "there, or unset DATABASE_HOST for one of our own"
        )


def variables(settings: DatabaseSettings) -> dict[str, str]:
    """Return the variables from which every function's DatabaseSettings reaches this server."""
    values = {name: getattr(settings, name) for name in DatabaseSettings.model_fields}
    return {
        name.upper(): value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in values.items()
        if value is not None
    }
