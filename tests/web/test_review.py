"""The review queue."""

import pytest
from playwright.sync_api import Page, expect

from local.processes import wait_until
from local.system import System
from tests.web.actions import classify, labels_of, layout_violations, stored
from tests.web.conftest import screenshot

pytestmark = pytest.mark.slow


def test_predictions_are_labeled_by_key_and_undone(page: Page, system: System) -> None:
    for text in ("zxqv blorp fnord", "Nicht schlecht, aber auch nicht gut.", "meh 12345 ???"):
        classify(page, text)
    assert system.event_source.drain(30) == 0
    page.goto("/review")
    item = page.get_by_test_id("review-item")
    expect(item).to_be_visible()
    first = item.locator("blockquote").inner_text()
    screenshot(page, "review")
    page.keyboard.press("1")
    expect(page.get_by_test_id("review-progress")).to_contain_text("1 labeled")
    page.keyboard.press("u")
    expect(item.locator("blockquote")).to_have_text(first)
    expect(page.get_by_test_id("review-progress")).to_contain_text("0 labeled")
    page.keyboard.press("2")
    expect(page.get_by_test_id("review-progress")).to_contain_text("1 labeled")
    page.get_by_role("link", name="Try", exact=True).click()  # leaving the page sends held labels
    assert wait_until(lambda: system.card["labels"][1] in labels_of(system, first), seconds=20)


def test_labels_that_cannot_be_sent_are_kept_and_sent_later(page: Page, system: System) -> None:
    prediction_id = classify(page, "A film about zxqv and blorp, meh, fnord ???")
    assert stored(system, prediction_id).feedback_label is None
    page.route("**/feedback", lambda route: route.fulfill(status=503, json={"message": "no"}))
    page.goto("/review")
    text = page.get_by_test_id("review-item").locator("blockquote").inner_text()
    page.keyboard.press("1")
    page.get_by_role("link", name="Try", exact=True).click()
    page.get_by_role("link", name="Review").click()
    unsent = page.get_by_role("region", name="Unsent labels")
    expect(unsent).to_contain_text("1 label is kept in this tab")
    assert layout_violations(page) == []
    page.unroute("**/feedback")
    page.reload()
    expect(page.get_by_test_id("review-progress")).to_be_visible()
    expect(unsent).to_have_count(0)
    assert wait_until(lambda: system.card["labels"][0] in labels_of(system, text), seconds=20)


def test_a_label_given_just_before_a_reload_is_stored(page: Page, system: System) -> None:
    classify(page, "qwrt plmk 77 ??? zxqv")
    assert system.event_source.drain(30) == 0
    page.goto("/review")
    text = page.get_by_test_id("review-item").locator("blockquote").inner_text()
    page.keyboard.press("2")
    expect(page.get_by_test_id("review-progress")).to_contain_text("1 labeled")
    page.reload()
    assert wait_until(lambda: system.card["labels"][1] in labels_of(system, text), seconds=20)
