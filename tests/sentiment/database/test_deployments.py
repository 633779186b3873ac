from datetime import UTC, datetime, timedelta

import pytest
from sentiment.database.deployments import active_deployment, deployment_before, record_deployment
from sentiment.database.models import ModelDeployment
from sentiment.database.session import transaction
from sentiment.exceptions import DatabaseError
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from tests.fixtures.rows import deployment


def test_a_new_deployment_retires_the_previous_one_of_its_type(database: Engine) -> None:
    with transaction(database) as session:
        for version, kind in [("v1", "champion"), ("v2", "canary"), ("v3", "champion")]:
            record_deployment(session, deployment(model_version=version, deployment_type=kind))

    with transaction(database) as session:
        assert active_version(session, "champion") == "v3"
        assert active_version(session, "canary") == "v2"
        assert active_version(session, "shadow") is None
        (retired,) = session.scalars(select(ModelDeployment).where(~ModelDeployment.is_active))
        assert (retired.model_version, retired.retired_at is not None) == ("v1", True)


def test_a_champion_retires_its_own_candidate_only(database: Engine) -> None:
    with transaction(database) as session:
        record_deployment(session, deployment(model_version="v2", deployment_type="candidate"))
        record_deployment(session, deployment(model_version="v1"))
        assert active_version(session, "candidate") == "v2"
        record_deployment(session, deployment(model_version="v2"))
        assert active_version(session, "candidate") is None
        assert active_version(session, "champion") == "v2"


def test_a_rollback_goes_to_the_latest_champion_of_a_lower_version(database: Engine) -> None:
    started = datetime.now(UTC)
    released = ["3", "4", "5", "4", "10"]  # 5 was bad and rolled back from
    with transaction(database) as session:
        record_deployment(session, deployment(deployment_type="canary", function_version="2"))
        record_deployment(session, deployment())  # on a laptop
        for number, version in enumerate(released):
            at = started + timedelta(minutes=number)
            row = deployment(function_version=version, deployed_at=at, model_version=f"step-{number}")
            record_deployment(session, row)
        before = {version: deployment_before(session, version) for version in (11, 10, 4, 3)}
        found = {version: row and row.model_version for version, row in before.items()}
    assert found == {11: "step-4", 10: "step-3", 4: "step-0", 3: None}


def test_two_active_deployments_of_a_type_are_impossible(database: Engine) -> None:
    with pytest.raises(DatabaseError, match="uq_model_deployments_active"), transaction(database) as session:
        session.add_all([deployment(), deployment()])


def active_version(session: Session, deployment_type: str) -> str | None:
    active = active_deployment(session, deployment_type)
    return active and active.model_version
