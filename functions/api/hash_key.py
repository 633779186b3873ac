"""Reads the key of input hashes from Secrets Manager during init. Only private modes need one."""

from typing import TYPE_CHECKING, cast

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session
from pydantic import SecretStr
from sentiment.exceptions import ConfigurationError
from sentiment.settings import reject_placeholder

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

# Must fit into the ten seconds that Lambda allows for init.
CLIENT = Config(connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 2})


def read_hash_key(arn: str) -> SecretStr:
    """Return the secret's text; raises ConfigurationError, without showing it, if it is not a key."""
    try:
        client = cast("SecretsManagerClient", Session().create_client("secretsmanager", config=CLIENT))
        return reject_placeholder(SecretStr(client.get_secret_value(SecretId=arn)["SecretString"]))
    except (BotoCoreError, ClientError) as error:
        raise ConfigurationError(f"INPUT_HASH_KEY_SECRET_ARN {arn} cannot be read: {error}") from None
    except (KeyError, ValueError):
        raise ConfigurationError(
            f"INPUT_HASH_KEY_SECRET_ARN {arn} has no valid key; put the output of "
            "`openssl rand -hex 32` there"
        ) from None
