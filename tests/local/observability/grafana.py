"""The variables and macros of Grafana that our queries use, as the tests run without Grafana.

They follow Grafana's documentation for Prometheus (global variables) and PostgreSQL (macros). An unknown one
is an error, as in Grafana.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
OBSERVABILITY = ROOT / "local" / "observability"
DASHBOARD = OBSERVABILITY / "grafana" / "dashboards" / "sentiment.json"
PROMETHEUS, POSTGRES = "prometheus", "postgres"

Target = Mapping[str, Any]


def load_dashboard() -> dict[str, Any]:
    return json.loads(DASHBOARD.read_text())  # type: ignore[no-any-return]


def panels(dashboard: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the panels with data: all but the titles of rows."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def targets(dashboard: Mapping[str, Any], source: str) -> Iterator[tuple[str, Target]]:
    """Yield a name and the query of every panel and annotation that uses the data source with that uid."""
    queries = [(panel["title"], target) for panel in panels(dashboard) for target in panel["targets"]]
    queries += [(f"annotation {each['name']}", each["target"]) for each in dashboard["annotations"]["list"]]
    for title, target in queries:
        if target["datasource"]["uid"] == source:
            yield f"{title}, {target['refId']}", target


def prometheus_query(expression: str, *, scrape_seconds: int, step_seconds: int, span_seconds: int) -> str:
    """Replace the time variables of PromQL."""
    values = {
        "$__rate_interval": max(step_seconds + scrape_seconds, 4 * scrape_seconds),
        "$__interval": step_seconds,
        "$__range": span_seconds,
    }
    for name, seconds in values.items():
        expression = re.sub(re.escape(name) + r"\b", f"{seconds}s", expression)
    assert "$" not in expression, f"unknown variable in {expression}"
    return expression


def sql_query(raw: str, *, since: datetime, until: datetime) -> str:
    """Replace the macros of PostgreSQL. As in Grafana, an argument ends at the first closing bracket."""
    hours = {"1h": 3600}

    def fill(match: re.Match[str]) -> str:
        name, arguments = match[1], [part.strip().strip("'") for part in match[2].split(",")]
        match name:
            case "timeFilter":
                return f"{arguments[0]} BETWEEN '{since:%Y-%m-%dT%XZ}' AND '{until:%Y-%m-%dT%XZ}'"
            case "timeGroupAlias":
                width = hours[arguments[1]]
                return f'floor(extract(epoch from {arguments[0]})/{width})*{width} AS "time"'
            case "unixEpochFrom":
                return str(int(since.timestamp()))
            case "unixEpochTo":
                return str(int(until.timestamp()))
            case _:
                raise AssertionError(f"unknown macro $__{name}")

    filled = re.sub(r"\$__(\w+)\(([^)]*)\)", fill, raw)
    assert "$" not in filled, f"unknown variable in {filled}"
    return filled
