"""The tables of routes in README and docs against the routes of the HTTP API.

A row is one route or several of one method: "`GET /health`, `/model`". The method is GET unless it says
otherwise, names of parameters do not matter, and a route that AWS does not have says "laptop only".
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
    """Yield each route of the tables whose first column is "route", and whether only the laptop has it."""
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
    """Return the route with a star for each parameter and for whatever follows."""
    return re.sub(r"\{[^}]*\}|…", "*", route)


@pytest.fixture(scope="module")
def routed() -> set[str]:
    template = synthesize(PLAIN)["Serving"]
    return {any_name(route["RouteKey"]) for route in resources(template, "AWS::ApiGatewayV2::Route")}


@pytest.fixture(scope="module")
def told() -> set[tuple[str, bool]]:
    return {route for page in PAGES for route in documented(page.read_text())}


def test_every_documented_route_is_routed_unless_it_says_that_only_the_laptop_has_it(
    routed: set[str], told: set[tuple[str, bool]]
) -> None:
    for route, laptop_only in told:
        assert any(fnmatchcase(route, pattern) for pattern in routed) != laptop_only, route


def test_every_route_is_documented(routed: set[str], told: set[tuple[str, bool]]) -> None:
    assert routed <= {route for route, _ in told}


def test_a_table_is_read_row_by_row_with_its_methods() -> None:
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
