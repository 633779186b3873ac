"""The ids of deployments, which the API puts into every prediction and a release writes into the database.

Both sides derive the same id from what Lambda tells them, so a new version needs no setting to know who it is
and its predictions point to its row whichever was written first.
"""

from uuid import UUID, uuid5

NAMESPACE = UUID(
    "5b0f3c55-3a3b-4a6e-9a0e-6f2d6d1c7e41"
)  # random, once; changing it orphans every id there is


def deployment_id_of(region: str, function_name: str, function_version: str) -> UUID:
    """Return the id of a published Lambda version's deployment: the UUIDv5 of `region/name/version`.

    A version is published once and never changes. Going back to it by a rollback is a row of its own with an
    id of its own, while its predictions still carry this one.
    """
    return uuid5(NAMESPACE, f"{region}/{function_name}/{function_version}")


def candidate_id_of(model_version: str) -> UUID:
    """Return the id of the row that says a model is ready to be deployed: the UUIDv5 of its version."""
    return uuid5(NAMESPACE, f"candidate/{model_version}")
