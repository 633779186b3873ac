"""One review: prediction, explanation, feedback, and errors."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from local.processes import wait_until
from local.system import System
from tests.web.actions import PRAISE, classify, stored
from tests.web.conftest import screenshot

pytestmark = pytest.mark.slow


def test_a_review_is_classified_explained_and_its_feedback_stored(page: Page, system: System) -> None:
    prediction_id = classify(page, PRAISE)
    expect(page.get_by_test_id("explained")).to_have_text(re.compile("wonderful"))
    expect(page.locator("[data-testid=explained] mark").first).to_be_visible()
    screenshot(page, "try")

    row = stored(system, prediction_id)
    assert row.text == PRAISE
    other = "negative" if row.sentiment == "positive" else "positive"
    page.get_by_role("button", name=f"No, it is {other}").click()
    expect(page.get_by_text(f"Saved as {other}")).to_be_visible()
    assert wait_until(lambda: stored(system, prediction_id).feedback_label == other, seconds=20)


def test_text_beyond_the_model_s_input_is_marked(page: Page) -> None:
    classify(page, "A dull and endless story. " * 150)
    expect(page.get_by_text("longer than the transformer's input")).to_be_visible()
    expect(page.locator(".unread").first).to_be_visible()


def test_markup_in_a_text_is_shown_as_text(page: Page) -> None:
    classify(page, "<img src=x onerror=alert(1)> <b>superb</b> film")
    shown = page.get_by_test_id("explained")
    expect(shown).to_contain_text("<img src=x onerror=alert(1)>")
    assert shown.locator("img, b").count() == 0


def test_a_text_that_is_too_long_cannot_be_sent(page: Page) -> None:
    page.goto("/")
    page.get_by_label("Review").fill("x" * 5_001)
    expect(page.get_by_text("1 characters too many")).to_be_visible()
    expect(page.get_by_role("button", name="Classify", exact=True)).to_be_disabled()


def test_an_error_has_a_message_and_can_be_retried(page: Page) -> None:
    def fail(route: Any) -> None:
        body = {"error": {"code": "not_stored", "message": "no", "correlation_id": "c-42"}}
        route.fulfill(status=503, json=body)

    page.route("**/api/predict", fail)
    page.goto("/")
    page.get_by_label("Review").fill(PRAISE)
    page.get_by_role("button", name="Classify", exact=True).click()
    expect(page.get_by_role("alert").first).to_contain_text("could not be stored")
    expect(page.get_by_role("alert").first).to_contain_text("c-42")
    page.unroute("**/api/predict")
    page.get_by_role("button", name="Try again").first.click()
    expect(page.get_by_test_id("answer")).to_contain_text("confidence")


def test_input_is_kept_while_offline(page: Page) -> None:
    page.goto("/")
    page.get_by_label("Review").fill(PRAISE)
    page.context.set_offline(True)
    expect(page.get_by_text("You are offline").first).to_be_visible()
    page.get_by_role("button", name="Classify", exact=True).click()
    expect(page.get_by_role("alert").first).to_contain_text("offline")
    page.context.set_offline(False)
    expect(page.get_by_label("Review")).to_have_value(PRAISE)
    page.get_by_role("button", name="Try again").first.click()
    expect(page.get_by_test_id("answer")).to_contain_text("confidence")


def test_input_is_kept_after_navigation(page: Page) -> None:
    page.goto("/")
    page.get_by_label("Review").fill(PRAISE)
    page.get_by_role("link", name="Watch").click()
    expect(page.get_by_role("main")).to_be_focused()
    page.get_by_role("link", name="Try", exact=True).click()
    expect(page.get_by_label("Review")).to_have_value(PRAISE)
