"""After CodeDeploy stopped a release, the previous version is recorded as the champion."""

import json

import pytest
from sentiment.database.deployments import active_deployment, record_deployment
from sentiment.database.models import ModelDeployment
from sentiment.database.session import transaction
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from functions.release_check import handler as release_check
from tests.release_check.conftest import (
    EVENTS,
    Context,
    Release,
    champions,
)

GIVEN_UP = json.loads((EVENTS / "release_check_given_up.json").read_text())


@pytest.fixture
def version_1(database: Engine) -> None:
    with transaction(database) as session:
        row = ModelDeployment(
            deployment_type="champion",
            model_version="20261101-0f0f0f0f",
            metrics={},
            artifact_uri="s3://b/models/20261101-0f0f0f0f/",
            function_version="1",
            deployed_by="a test",
        )
        record_deployment(session, row)


def test_a_stopped_release_leaves_the_previous_version_as_champion(
    release: Release, database: Engine, version_1: None
) -> None:
    release.hook()
    release_check.handler(GIVEN_UP, Context())  # type: ignore[arg-type]
    with Session(database) as session:
        champion = active_deployment(session)
        assert champion is not None
        assert (champion.function_version, champion.model_version) == ("1", "20261101-0f0f0f0f")
        assert champion.reason == "CodeDeploy ended deployment d-EXAMPLE11 with FAILURE"
    assert [row.function_version for row in champions(database)] == ["1", "2", "1"]


def test_a_stopped_release_that_was_never_recorded_changes_nothing(
    release: Release, database: Engine, version_1: None
) -> None:
    release_check.handler(GIVEN_UP, Context())  # type: ignore[arg-type]
    assert [row.function_version for row in champions(database)] == ["1"]
