"""The route tables in README and docs match the routes of the HTTP API.

A row has one route, or several with one method: "`GET /health`, `/model`". The default method is GET. Names
of parameters do not matter, and a route that does not exist on AWS says "laptop only".
"""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.fixtures.templates import PLAIN, resources, synthesize

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
ROUTE = re.compile(r"`(?:([A-Z]+) )?(/[^`\s]*)`")
LAPTOP_ONLY = "laptop only"


def documented(text: str) -> Iterator[tuple[str, bool]]:
    """Yield each route of the tables whose first column is "route", and whether it is laptop only."""
    in_table = False
    for line in text.splitlines():
        if not line.lstrip().startswith("|"):
            in_table = False
            continue
        first, *rest = (cell.strip() for cell in line.strip().strip("|").split("|"))
        in_table = in_table or first.lower() in ("route", "routes")
        method = "GET"
        for given, path in ROUTE.findall(first) if in_table else ():
            method = given or method
            yield f"{method} {any_name(path)}", LAPTOP_ONLY in " ".join(rest).lower()


def any_name(route: str) -> str:
    """Return the route with `*` for each parameter and for an ellipsis."""
    return re.sub(r"\{[^}]*\}|…", "*", route)


@pytest.fixture(scope="module")
def routed() -> set[str]:
    template = synthesize(PLAIN)["Serving"]
    return {any_name(route["RouteKey"]) for route in resources(template, "AWS::ApiGatewayV2::Route")}


@pytest.fixture(scope="module")
def listed() -> set[tuple[str, bool]]:
    return {route for page in PAGES for route in documented(page.read_text())}


def test_every_documented_route_exists_unless_it_is_laptop_only(
    routed: set[str], listed: set[tuple[str, bool]]
) -> None:
    for route, laptop_only in listed:
        assert any(fnmatchcase(route, pattern) for pattern in routed) != laptop_only, route


def test_every_route_is_documented(routed: set[str], listed: set[tuple[str, bool]]) -> None:
    assert routed <= {route for route, _ in listed}


def test_a_table_row_can_contain_several_routes_of_one_method() -> None:
    text = """
| file | what |
| --- | --- |
| `/etc/hosts` | no route |

| Route | What |
| --- | --- |
| `POST /things/{id}`, `/others` | `/reports` |
| `GET /reports/…` | Laptop only: a page |
| `/plain` | |

| `GET /nowhere` | of a table without a header |
"""
    assert list(documented(text)) == [
        ("POST /things/*", False),
        ("POST /others", False),
        ("GET /reports/*", True),
        ("GET /plain", False),
    ]
