from uuid import UUID

from sentiment.deployments import candidate_id_of, deployment_id_of


def test_the_id_of_a_version_never_changes() -> None:
    # Stored in rows and predictions: changing the value would break their references.
    assert deployment_id_of("eu-central-1", "api", "7") == UUID("bf366ad7-6824-59ad-97eb-2ce1fe0640d9")


def test_region_function_and_version_each_change_the_id() -> None:
    ids = {
        deployment_id_of(region, name, version)
        for region in ("eu-central-1", "us-east-1")
        for name in ("api", "api-2")
        for version in ("1", "2")
    }
    assert len(ids) == 8


def test_a_candidate_and_its_deployment_are_two_rows() -> None:
    assert candidate_id_of("20261123-1a2b3c4d") not in {
        deployment_id_of("eu-central-1", "api", "1"),
        candidate_id_of("20261124-1a2b3c4d"),
    }
