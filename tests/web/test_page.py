"""What holds for every place of the page: usable by all, on any screen, small, and closed to strangers."""

import gzip
import json
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from local.stand_ins.static_site import ROOT
from tests.web.actions import ask, serious
from tests.web.conftest import picture

PLACES = ("/", "/batch", "/review", "/watch", "/card")


pytestmark = pytest.mark.slow


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("place", PLACES)
def test_axe_finds_nothing_serious(page: Page, place: str, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    if place == "/":
        ask(page, "A fine film, but dull in parts.")
    else:
        page.goto(place)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert serious(page) == []


@pytest.mark.parametrize("place", PLACES)
def test_a_telephone_shows_it_all_without_scrolling_sideways(page: Page, place: str) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    if place == "/":
        ask(page, "A fine film, but dull in parts.")
    else:
        page.goto(place)
    page.wait_for_load_state("networkidle")
    picture(page, f"telephone{place.replace('/', '-').rstrip('-')}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert serious(page) == []


def test_a_place_that_does_not_load_leaves_the_others_usable(page: Page) -> None:
    other = page.context.new_page()  # whose console may complain
    other.route("**/assets/ReviewPage*.js", lambda route: route.abort())
    other.goto("/batch")
    other.get_by_label("Reviews, one a line").fill("A fine film")
    other.get_by_role("button", name="Ask about 1 text").click()
    expect(other.get_by_test_id("progress")).to_have_text("1 of 1 answered")
    other.get_by_role("link", name="Review").click()
    expect(other.get_by_role("alert")).to_contain_text("Reload the page to go on")
    other.get_by_role("link", name="Batch").click()
    expect(other.get_by_test_id("progress")).to_have_text("1 of 1 answered")


def test_everything_is_reached_by_keyboard(page: Page) -> None:
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
    picture(page, "keyboard")
    assert {"Try", "Batch", "Review", "Watch", "Model", "TEXTAREA", "Praise"} <= reached


def test_the_first_load_is_small_and_asks_nobody_else(page: Page, address: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/")
    page.wait_for_load_state("networkidle")
    assert all(url.startswith(address) for url in asked)
    assert not [url for url in asked if "charts" in url]
    scripts = [ROOT / "dist" / url.removeprefix(f"{address}/") for url in asked if url.endswith(".js")]
    assert scripts
    compressed = sum(len(gzip.compress(script.read_bytes())) for script in scripts)
    print(json.dumps({"first_load_gzip_bytes": compressed}))
    assert compressed <= 200_000


def test_answers_carry_the_headers_of_the_cloud(page: Page) -> None:
    answer = page.goto("/")
    assert answer is not None
    headers = answer.headers
    assert headers["content-security-policy"].startswith("default-src 'none'; ")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
