"""docs/reports.md names exactly the routes that there are, and each one's parameters."""

import re
from pathlib import Path

from functions.reports import questions
from functions.reports.handler import app

DOCUMENT = (Path(__file__).parents[2] / "docs" / "reports.md").read_text()
QUESTIONS: dict[str, type[questions.Question]] = {
    "/reports/summary": questions.SummaryQuestion,
    "/reports/predictions": questions.PredictionsQuestion,
    "/reports/review": questions.ReviewQuestion,
    "/reports/performance": questions.PerformanceQuestion,
    "/reports/reconciliation": questions.DaysQuestion,
    "/reports/alerts": questions.AlertsQuestion,
    "/reports/drift": questions.DriftQuestion,
    "/reports/drift/{id}/page": questions.PageQuestion,
    "/reports/deployments": questions.DeploymentsQuestion,
}


def documented() -> dict[str, set[str]]:
    rows = re.findall(r"^\| `(/reports/\S+)` \|([^|]*)\|", DOCUMENT, flags=re.MULTILINE)
    return {route: set(re.findall(r"`(\w+)`", parameters)) for route, parameters in rows}


def test_every_route_is_documented_and_no_other() -> None:
    patterns = {route.path for route in [*app._static_routes, *app._dynamic_routes]}
    assert {re.sub(r"<\w+>", "{id}", path) for path in patterns} == set(documented())


def test_every_parameter_is_documented_and_no_other() -> None:
    for route, parameters in documented().items():
        fields = QUESTIONS[route].model_fields if route in QUESTIONS else {}
        assert parameters == set(fields), route
