"""What the release check reads."""

from functools import cache

from pydantic import Field
from sentiment.settings import Settings, read_settings

SERVICE = "release_check"  # how logs call this function


class ReleaseCheckSettings(Settings):
    """Which function is released, who writes releases down, and how fast a version has to be."""

    api_function_name: str
    api_alias: str  # what of it has the traffic
    api_version_arn: str = Field(pattern=r":[1-9][0-9]*$")  # the version that the stack was deployed with
    registrar_function_name: str
    p95_budget_ms: float = Field(gt=0)  # of one golden review: tokenization and forward pass, warm
    warm_up_calls: int = Field(default=20, ge=0)  # at most
    warm_call_ms: float = Field(default=1000, gt=0)  # a whole invocation under this was not a cold start
    deployed_by: str = Field(min_length=1)


@cache
def settings() -> ReleaseCheckSettings:
    """Read the settings once; raises ConfigurationError naming what is missing."""
    return read_settings(ReleaseCheckSettings)
