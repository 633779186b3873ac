"""Ids of deployments, which the API stores with every prediction and a release stores in the database.

Both derive the same id from Lambda's environment, so a version needs no setting to know its id, and its
predictions refer to its row whichever was written first.
"""

from uuid import UUID, uuid5

# Chosen at random, once. Changing it would change the ids of all deployments.
NAMESPACE = UUID("5b0f3c55-3a3b-4a6e-9a0e-6f2d6d1c7e41")


def deployment_id_of(region: str, function_name: str, function_version: str) -> UUID:
    """Return the id of a published Lambda version's deployment: the UUIDv5 of `region/name/version`.

    A version is published once and never changes. A rollback to it is a separate row with another id, while
    its predictions keep this one.
    """
    return uuid5(NAMESPACE, f"{region}/{function_name}/{function_version}")


def candidate_id_of(model_version: str) -> UUID:
    """Return the id of a model's candidate row: the UUIDv5 of its version."""
    return uuid5(NAMESPACE, f"candidate/{model_version}")
