"""The API's settings, read from its environment."""

import os
import re
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, field_validator, model_validator
from pydantic_settings import NoDecode
from sentiment.deployments import deployment_id_of
from sentiment.settings import Secret, Settings, read_settings

from functions.api.hash_key import read_hash_key

SERVICE = "api"  # how logs and metrics call this function
PrivacyMode = Literal["full", "redacted", "hashed"]
ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?")


def usable_cpus() -> int:
    """Count the CPUs this process may use; a container can limit them."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def own_deployment() -> UUID | None:
    """Return the deployment id of the running Lambda version, None if it is not a published version.

    The number is fixed when the version is published, before a SnapStart snapshot is taken.
    """
    version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION", "")
    if not version.isdecimal():
        return None
    return deployment_id_of(os.environ["AWS_REGION"], os.environ["AWS_LAMBDA_FUNCTION_NAME"], version)


class ApiSettings(Settings):
    """Where the artifact is, where records go, which origins may call, and how much text is stored."""

    model_dir: Path = Field(
        description="Folder (or symlink to it) with model.onnx, tokenizer.json and model.json."
    )
    queue_url: str = Field(pattern=r"^https?://")
    unsent_bucket: str = Field(min_length=3, description="S3 bucket for records that the queue rejected.")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Comma-separated origins that browsers may call from; wildcards are not allowed.",
    )
    privacy_mode: PrivacyMode = "full"
    input_hash_key: Secret | None = Field(
        default=None, description="HMAC key of input_hash; required unless PRIVACY_MODE is full."
    )
    input_hash_key_secret_arn: str | None = Field(
        default=None, description="Secret in Secrets Manager with the key, instead of INPUT_HASH_KEY."
    )
    deployment_id: UUID | None = Field(
        default_factory=own_deployment,
        description="Row of model_deployments that serves; default: this Lambda version's.",
    )
    threads: int = Field(default_factory=usable_cpus, ge=1, description="Inference threads: one per vCPU.")
    cache_entries: int = Field(
        default=256, ge=0, description="Predictions that a warm instance caches; 0 disables the cache."
    )

    @field_validator("cors_origins", mode="before")
    @classmethod
    def split_origins(cls, value: object) -> object:
        """Split the comma-separated list of the environment variable."""
        return (
            tuple(origin.strip() for origin in value.split(",") if origin.strip())
            if isinstance(value, str)
            else value
        )

    @field_validator("cors_origins")
    @classmethod
    def refuse_wildcards(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        """Accept only exact origins, as browsers send them: scheme and host, no path, no wildcard."""
        for origin in origins:
            if not ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin!r} is not an exact origin such as https://app.example.com")
        return origins

    @model_validator(mode="after")
    def require_hash_key(self) -> Self:
        """Require a key to hash private text: the plain hash of a short text can be guessed."""
        if self.privacy_mode != "full" and (self.input_hash_key or self.input_hash_key_secret_arn) is None:
            raise ValueError(
                f"INPUT_HASH_KEY or INPUT_HASH_KEY_SECRET_ARN is required when PRIVACY_MODE is "
                f"{self.privacy_mode}"
            )
        return self


@cache
def settings() -> ApiSettings:
    """Read the settings once, and the key from its secret; raises ConfigurationError naming all problems."""
    found = read_settings(ApiSettings)
    arn = found.input_hash_key_secret_arn
    if arn is None or found.input_hash_key is not None or found.privacy_mode == "full":
        return found
    return found.model_copy(update={"input_hash_key": read_hash_key(arn)})
