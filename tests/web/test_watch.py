"""The pages Watch and Model."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from local.system import System
from tests.reports.client import check_response
from tests.web.actions import layout_violations
from tests.web.conftest import screenshot

pytestmark = pytest.mark.slow


def test_drift_is_shown_as_an_alert_with_its_details_and_report(page: Page, shifted: System) -> None:
    page.goto("/watch")
    alert = page.get_by_test_id("alert-open").filter(has_text="Data drift")
    expect(alert).to_be_visible()
    alert.locator("summary").click()
    expect(alert.get_by_role("row", name="features")).to_contain_text("language")
    expect(alert.get_by_role("row", name="phrases")).to_contain_text("“")
    expect(alert).to_contain_text("model version")
    for title in ("Predictions", "Inference time", "Predicted labels", "Confidence", "Drift score"):
        expect(page.locator("figcaption", has_text=title).first).to_be_visible()
    expect(page.get_by_role("region", name="Deployments, newest first")).to_contain_text(
        shifted.card["model_version"]
    )
    expect(page.locator("svg.recharts-surface").first).to_be_visible()
    accuracy = page.get_by_role("region", name="Accuracy")
    expect(accuracy).to_contain_text(
        re.compile(r"By \d+ labels [\d.]+%.*last estimate without labels [\d.]+%")
    )
    screenshot(page, "watch-whole")
    assert layout_violations(page) == []
    alert.locator("summary").click()
    screenshot(page, "watch", full_page=False)
    page.goto("/watch?hours=1")
    alert.locator("summary").click()
    with page.context.expect_page() as opened:
        alert.get_by_role("button", name="Open the report").click()
    opened.value.wait_for_url("**/reports/drift/**")
    expect(opened.value.locator("body")).to_contain_text("Drift")


def test_responses_of_reports_match_the_openapi_document(page: Page, shifted: System) -> None:
    paths = page.request.get("/api/reports/openapi.json").json()["paths"]
    responses = {path: page.request.get(f"/api{path}").json() for path in paths if "{" not in path}
    responses["/reports/alerts"] = page.request.get("/api/reports/alerts?state=all").json()
    for path, response in responses.items():
        check_response(path, response)
    (run, *_) = responses["/reports/drift"]["runs"]
    assert {"drift_threshold", "features"} <= run["data_drift"].keys()
    (newest, *_) = responses["/reports/predictions"]["predictions"]
    for path in (
        f"/reports/drift/{run['id']}/page?redirect=false",
        f"/reports/predictions/{newest['id']}",
    ):
        check_response(path.partition("?")[0], page.request.get(f"/api{path}").json())


def test_an_outage_is_not_shown_as_no_traffic(page: Page, shifted: System) -> None:
    def outage(route: Route) -> None:
        response = route.fetch()
        summary = response.json()
        requests = {
            "counted": 9,
            "client_errors": 0,
            "server_errors": 9,
            "error_rate": 1.0,
            "since": summary["since"],
            "until": summary["until"],
        }
        route.fulfill(
            response=response, json=summary | {"predictions": 0, "over_time": [], "requests": requests}
        )

    page.route("**/reports/summary**", outage)
    page.goto("/watch")
    traffic = page.get_by_role("region", name="Traffic")
    expect(traffic).to_contain_text(re.compile(r"Errors, \d\d:\d\d to \d\d:\d\d\s*100.00%"))
    expect(traffic).not_to_contain_text("No requests")


def test_the_time_range_is_in_the_url(page: Page) -> None:
    page.goto("/watch?hours=168")
    expect(page.get_by_role("radio", name="1 week")).to_be_checked()
    page.get_by_text("1 hour", exact=True).click()
    expect(page).to_have_url(re.compile(r"/watch\?hours=1$"))


def test_data_is_refreshed_while_visible_and_not_while_hidden(page: Page) -> None:
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.clock.install()
    page.goto("/watch")
    expect(page.get_by_role("region", name="Traffic")).to_contain_text("Predictions")

    def pass_a_minute(state: str) -> int:
        page.evaluate(
            "value => { Object.defineProperty(document, 'visibilityState', {value, configurable: true});"
            " document.dispatchEvent(new Event('visibilitychange', {bubbles: true})) }",
            state,
        )
        requests.clear()
        for _ in range(6):
            page.clock.run_for(10_000)
            page.wait_for_load_state("networkidle")
        return sum("/reports/summary" in url for url in requests)

    assert pass_a_minute("visible") >= 1
    assert pass_a_minute("hidden") == 0
    assert pass_a_minute("visible") >= 1


def test_the_model_page_shows_card_evaluation_and_deployments(page: Page, system: System) -> None:
    page.goto("/card")
    card = page.get_by_role("region", name="Card")
    expect(card).to_contain_text(system.card["model_version"])
    expect(card).to_contain_text(system.card["data"]["fingerprint"])
    evaluation = page.get_by_role("region", name="Evaluation")
    expect(evaluation).to_contain_text("int8 (serving)")
    expect(evaluation.get_by_role("table", name="Confusion matrix")).to_be_visible()
    expect(evaluation.get_by_role("figure", name="Reliability")).to_be_visible()
    expect(page.get_by_role("region", name="Export").get_by_role("figure", name="Latency")).to_be_visible()
    screenshot(page, "card")
