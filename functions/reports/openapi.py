"""Describes the routes as OpenAPI, from their query and response types. It validates nothing."""

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

from pydantic import TypeAdapter
from typing_extensions import TypedDict

from functions.reports.queries import Query

REFERENCE = "#/components/schemas/{model}"
_NAME = re.compile(r"<(\w+)>")
_NULL = {"type": "null"}


class Problem(TypedDict):
    """What went wrong, and the id under which it is logged."""

    code: str
    message: str
    correlation_id: str


class Error(TypedDict):
    """The body of every error response."""

    error: Problem


class Route(NamedTuple):
    """One GET route."""

    path: str
    summary: str
    query: type[Query] | None
    response: Any


def describe(routes: Sequence[Route]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the routes."""
    types = {route.path: route.response for route in routes} | {"error": Error}
    found, definitions = TypeAdapter.json_schemas(
        [(name, "serialization", TypeAdapter(type_)) for name, type_ in types.items()],
        ref_template=REFERENCE,
    )
    error = {"description": "Error", "content": _json(found["error", "serialization"])}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Serverless Sentiment: reports", "version": "1"},
        "paths": {
            _NAME.sub(r"{\1}", route.path): {
                "get": {
                    "operationId": _operation(route.path),
                    "summary": route.summary.partition("\n")[0],
                    "parameters": _parameters(route),
                    "responses": {
                        "200": {
                            "description": HTTPStatus.OK.phrase,
                            "content": _json(found[route.path, "serialization"]),
                        },
                        "default": error,
                    },
                }
            }
            for route in routes
        },
        "components": {"schemas": definitions["$defs"]},
    }


def _operation(path: str) -> str:
    return "_".join(re.findall(r"\w+", path.removesuffix(".json")))


def _parameters(route: Route) -> list[dict[str, Any]]:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
        for name in _NAME.findall(route.path)
    ]
    if route.query is None:
        return in_path
    properties = route.query.model_json_schema()["properties"]
    return [
        *in_path,
        *({"name": name, "in": "query", "schema": _present(schema)} for name, schema in properties.items()),
    ]


def _present(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a parameter that is present: an absent one is not null."""
    kinds = [kind for kind in schema.get("anyOf", []) if kind != _NULL]
    if len(kinds) != 1:
        return schema
    return {**kinds[0], **{name: value for name, value in schema.items() if name not in ("anyOf", "default")}}


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
