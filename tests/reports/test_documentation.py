"""docs/reports.md and the OpenAPI document list all routes and their parameters, and no others."""

import re
from pathlib import Path
from typing import Any

from openapi_spec_validator import validate

from functions.reports.handler import app
from tests.reports.client import get

DOCUMENT = (Path(__file__).parents[2] / "docs" / "reports.md").read_text()


def documented() -> dict[str, set[str]]:
    rows = re.findall(r"^\| `(/reports/\S+)` \|([^|]*)\|", DOCUMENT, flags=re.MULTILINE)
    return {route: set(re.findall(r"`(\w+)`", parameters)) for route, parameters in rows}


def described() -> dict[str, set[str]]:
    paths: dict[str, Any] = get("/reports/openapi.json")["paths"]
    return {
        re.sub(r"{\w+}", "{id}", path): {
            parameter["name"] for parameter in route["get"]["parameters"] if parameter["in"] == "query"
        }
        for path, route in paths.items()
    }


def test_every_route_is_described_and_no_other() -> None:
    patterns = {route.path for route in [*app._static_routes, *app._dynamic_routes]}
    assert {re.sub(r"<\w+>", "{id}", path) for path in patterns} == set(described())


def test_every_route_and_parameter_is_documented_and_no_other() -> None:
    assert documented() == described()


def test_the_document_is_openapi() -> None:
    validate(get("/reports/openapi.json"))
