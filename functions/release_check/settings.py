"""Settings of the release check."""

from functools import cache

from pydantic import Field
from sentiment.settings import Settings, read_settings

SERVICE = "release_check"  # how logs call this function


class ReleaseCheckSettings(Settings):
    """The released function, the registrar, and the latency that a version must reach."""

    api_function_name: str
    api_alias: str  # receives the traffic
    api_version_arn: str = Field(pattern=r":[1-9][0-9]*$")  # the version that the stack deployed
    registrar_function_name: str
    p95_budget_ms: float = Field(gt=0)  # of one golden review: tokenization and forward pass, warm
    warm_up_calls: int = Field(default=20, ge=0)  # at most
    warm_call_ms: float = Field(default=1000, gt=0)  # a faster invocation was not a cold start
    deployed_by: str = Field(min_length=1)


@cache
def settings() -> ReleaseCheckSettings:
    """Read the settings once; raises ConfigurationError naming invalid variables."""
    return read_settings(ReleaseCheckSettings)
