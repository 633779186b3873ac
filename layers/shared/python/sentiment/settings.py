"""Reading settings from the environment or `.env`, with errors that say how to fix them.

Each function defines its own class in its own `settings.py`.
"""

from typing import Annotated, TypeVar

from pydantic import AfterValidator, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from sentiment.exceptions import ConfigurationError
from sentiment.validation import problems_of

PLACEHOLDERS = frozenset(
    {"", "changeme", "example", "password", "placeholder", "replaceme", "secret", "todo", "xxx"}
)


def reject_placeholder(secret: SecretStr) -> SecretStr:
    """Return the secret unchanged; raises ValueError if it is a placeholder."""
    value = secret.get_secret_value().strip().lower()
    if value.replace("-", "").replace("_", "") in PLACEHOLDERS or (value[0] == "<" and value[-1] == ">"):
        raise ValueError(
            "is a placeholder; set a real secret, for example the output of `openssl rand -hex 32`"
        )
    return secret


Secret = Annotated[SecretStr, AfterValidator(reject_placeholder)]


class Settings(BaseSettings):
    """Settings from variables named like the fields in upper case; the environment overrides `.env`."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True)


SettingsT = TypeVar("SettingsT", bound=BaseSettings)


def read_settings(settings_class: type[SettingsT]) -> SettingsT:
    """Read the settings; raises ConfigurationError naming every invalid variable and how to fix it."""
    try:
        return settings_class()
    except ValidationError as error:
        problems = "; ".join(
            f"{problem.location.upper() or settings_class.__name__}: "
            f"{'is not set' if problem.rule == 'missing' else problem.message}"
            for problem in problems_of(error)
        )
        raise ConfigurationError(
            f"{problems} (set it in the environment or in .env; see .env.example)"
        ) from None
