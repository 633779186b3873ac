"""Accessibility, screen sizes, load size and security headers of all pages."""

import gzip
import json
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from local.stand_ins.static_site import ROOT
from tests.web.actions import accessibility_violations, classify
from tests.web.conftest import screenshot

PATHS = ("/", "/batch", "/review", "/watch", "/card")


pytestmark = pytest.mark.slow


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PATHS)
def test_axe_finds_no_serious_violation(page: Page, path: str, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    if path == "/":
        classify(page, "A fine film, but dull in parts.")
    else:
        page.goto(path)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert accessibility_violations(page) == []


@pytest.mark.parametrize("path", PATHS)
def test_a_phone_needs_no_horizontal_scrolling(page: Page, path: str) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    if path == "/":
        classify(page, "A fine film, but dull in parts.")
    else:
        page.goto(path)
    page.wait_for_load_state("networkidle")
    screenshot(page, f"phone{path.replace('/', '-').rstrip('-')}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert accessibility_violations(page) == []


def test_a_page_that_fails_to_load_leaves_the_others_usable(page: Page) -> None:
    other = page.context.new_page()  # whose console may log errors
    other.route("**/assets/ReviewPage*.js", lambda route: route.abort())
    other.goto("/batch")
    other.get_by_label("Reviews, one per line").fill("A fine film")
    other.get_by_role("button", name="Classify 1 text").click()
    expect(other.get_by_test_id("progress")).to_have_text("1 of 1 classified")
    other.get_by_role("link", name="Review").click()
    expect(other.get_by_role("alert")).to_contain_text("Reload the page to continue")
    other.get_by_role("link", name="Batch").click()
    expect(other.get_by_test_id("progress")).to_have_text("1 of 1 classified")


def test_all_controls_are_reachable_by_keyboard(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_label("Review")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    reached = set()
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate("document.activeElement.textContent.trim() || document.activeElement.tagName")
        )
    screenshot(page, "keyboard")
    assert {"Try", "Batch", "Review", "Watch", "Model", "TEXTAREA", "Praise"} <= reached


def test_the_first_load_is_small_and_from_the_same_origin(page: Page, address: str) -> None:
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto("/")
    page.wait_for_load_state("networkidle")
    assert all(url.startswith(address) for url in requests)
    assert not [url for url in requests if "charts" in url]
    scripts = [ROOT / "dist" / url.removeprefix(f"{address}/") for url in requests if url.endswith(".js")]
    assert scripts
    compressed = sum(len(gzip.compress(script.read_bytes())) for script in scripts)
    print(json.dumps({"first_load_gzip_bytes": compressed}))
    assert compressed <= 200_000


def test_responses_have_the_security_headers_of_the_cloud(page: Page) -> None:
    response = page.goto("/")
    assert response is not None
    headers = response.headers
    assert headers["content-security-policy"].startswith("default-src 'none'; ")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
