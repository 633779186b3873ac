"""The check after a deployment of the stack: the first version, and versions without traffic."""

from collections.abc import Callable

import pytest
from sentiment.exceptions import ConfigurationError
from sqlalchemy import Engine

from functions.api.model.artifact import Artifact
from functions.release_check import handler as release_check
from functions.release_check.errors import ReleaseError
from functions.release_check.settings import settings
from tests.api.driver import Api
from tests.release_check.conftest import Context, Inverted, Release, champions, deployed, served


def test_the_first_deployment_is_checked_and_recorded_without_codedeploy(
    release: Release, database: Engine
) -> None:
    done = deployed(release)
    assert (done["version"], done["fp32_disagreements"]) == ("2", 0)
    assert done["p95_ms"] > 0
    assert [row.function_version for row in champions(database)] == ["2"]
    assert release.service.verdicts == []


def test_after_a_release_by_codedeploy_nothing_is_checked_or_changed(
    release: Release, database: Engine, make_api: Callable[..., Api], artifact: Artifact
) -> None:
    release.hook()
    release.deploy(served(make_api(Inverted(artifact, threads=1, cache_entries=0))))
    assert deployed(release) == {"version": "2", "recorded": True}
    assert len(champions(database)) == 1


def test_a_bad_first_deployment_fails_the_stack(
    release: Release, make_api: Callable[..., Api], artifact: Artifact
) -> None:
    release.deploy(served(make_api(Inverted(artifact, threads=1, cache_entries=0))))
    with pytest.raises(ReleaseError, match="predicted differently"):
        deployed(release)


def test_a_version_without_traffic_after_a_rollback_is_not_recorded(
    release: Release, database: Engine
) -> None:
    done = release_check.handler({}, Context())  # type: ignore[arg-type]
    assert done == {"version": "2", "serving": "1", "recorded": False}
    assert champions(database) == []


def test_an_arn_without_a_version_is_rejected(monkeypatch: pytest.MonkeyPatch, release: Release) -> None:
    monkeypatch.setenv("API_VERSION_ARN", "arn:aws:lambda:eu-central-1:123456789012:function:api")
    settings.cache_clear()
    with pytest.raises(ConfigurationError, match="API_VERSION_ARN"):
        deployed(release)
