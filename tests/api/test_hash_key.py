"""The key of input hashes in Secrets Manager is read at init and never shown."""

import uuid
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import boto3
import pytest
from sentiment.exceptions import ConfigurationError

from functions.api.settings import settings

KEY = "9b2f0a5c4d7e8f1a"
SetAll = Callable[[dict[str, str]], None]


@pytest.fixture
def keep(aws: SimpleNamespace, variables: dict[str, str], env: SetAll) -> Iterator[Callable[..., str]]:
    """Store a value as the secret and configure its ARN, which is returned."""

    def keep(value: str, mode: str = "hashed", **more: str) -> str:
        secrets = boto3.client("secretsmanager")
        arn: str = secrets.create_secret(Name=f"key-{uuid.uuid4()}", SecretString=value)["ARN"]
        env(variables | {"PRIVACY_MODE": mode, "INPUT_HASH_KEY_SECRET_ARN": arn} | more)
        return arn

    settings.cache_clear()
    yield keep
    settings.cache_clear()


def key() -> str | None:
    found = settings().input_hash_key
    return found and found.get_secret_value()


def test_the_key_is_the_secrets_text(keep: Callable[..., str]) -> None:
    keep(KEY)
    assert key() == KEY
    assert KEY not in repr(settings())


def test_a_configured_key_overrides_the_secret(keep: Callable[..., str]) -> None:
    keep("another-key", INPUT_HASH_KEY=KEY)
    assert key() == KEY


def test_the_full_mode_reads_no_key(variables: dict[str, str], env: SetAll, keep: Callable[..., str]) -> None:
    keep(KEY)
    env(variables | {"INPUT_HASH_KEY_SECRET_ARN": "arn:of-nothing"})
    assert key() is None


@pytest.mark.parametrize("value", ["changeme", "<your key>"])
def test_a_placeholder_is_rejected_and_not_shown(keep: Callable[..., str], value: str) -> None:
    keep(value)
    with pytest.raises(ConfigurationError, match="has no valid key") as caught:
        settings()
    assert value not in str(caught.value)


def test_a_missing_secret_is_named(variables: dict[str, str], env: SetAll, keep: Callable[..., str]) -> None:
    arn = keep(KEY) + "gone"
    env(variables | {"PRIVACY_MODE": "redacted", "INPUT_HASH_KEY_SECRET_ARN": arn})
    with pytest.raises(ConfigurationError, match=r"INPUT_HASH_KEY_SECRET_ARN .*gone cannot be read"):
        settings()


def test_a_private_mode_without_a_key_is_rejected(variables: dict[str, str], env: SetAll) -> None:
    settings.cache_clear()
    env(variables | {"PRIVACY_MODE": "hashed"})
    with pytest.raises(ConfigurationError, match="INPUT_HASH_KEY or INPUT_HASH_KEY_SECRET_ARN is required"):
        settings()
