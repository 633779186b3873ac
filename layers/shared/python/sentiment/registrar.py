"""The registrar's client, for callers that cannot reach Postgres: release_check and the command line."""

from collections.abc import Callable, Mapping
from typing import Any

Row = dict[str, Any]  # of model_deployments, as JSON


class Registrar:
    """The registrar's actions on deployments; `call` sends one event and returns the response."""

    def __init__(self, call: Callable[[Mapping[str, Any]], Any]) -> None:
        self._call = call

    def list_deployments(self) -> list[Row]:
        """Return the latest deployments, newest first."""
        deployments: list[Row] = self._call({"action": "list_deployments"})["deployments"]
        return deployments

    def record_deployment(self, deployment: Mapping[str, Any]) -> Row:
        """Record a release and return its row; safe to repeat."""
        return self._record("record_deployment", deployment)

    def record_rollback(self, deployment: Mapping[str, Any]) -> Row:
        """Record that traffic went back to a version and return its new row; safe to repeat."""
        return self._record("record_rollback", deployment)

    def previous_deployment(
        self, function_version: str, *, to: int | None = None
    ) -> tuple[Row | None, Row | None]:
        """Return the active deployment and the target of a rollback from that version (to `to` if given)."""
        event = {"action": "previous_deployment", "function_version": function_version}
        found = self._call(event | ({"to": str(to)} if to else {}))
        return found["active"], found["previous"]

    def _record(self, action: str, deployment: Mapping[str, Any]) -> Row:
        row: Row = self._call({"action": action, "deployment": dict(deployment)})["deployment"]
        return row
