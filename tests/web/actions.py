"""Actions on the page, and lookups of what they stored."""

import re
from typing import Any
from uuid import UUID

from playwright.sync_api import Page, expect
from sentiment.database.models import PredictionLog
from sentiment.database.session import transaction
from sqlalchemy import select

from local.processes import wait_until
from local.stand_ins.static_site import ROOT
from local.system import System

PRAISE = "A wonderful film with superb actors. I loved every minute of it."
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"


def classify(page: Page, text: str) -> str:
    """Classify a text by keyboard and return the prediction's id."""
    page.goto("/")
    page.get_by_label("Review").fill(text)
    page.keyboard.press("Control+Enter")
    result = page.get_by_test_id("answer")
    expect(result).to_contain_text("confidence")
    found = re.search(r"id ([0-9a-f-]{36})", result.inner_text())
    assert found
    return found[1]


def stored(system: System, prediction_id: str) -> Any:
    """Return the stored text, sentiment and label of a prediction; waits until it is stored."""
    log = PredictionLog
    query = select(log.text, log.sentiment, log.feedback_label).where(log.id == UUID(prediction_id))
    with transaction(system.engine) as session:
        assert wait_until(lambda: session.execute(query).first() is not None, seconds=20)
        return session.execute(query).one()


def labels_of(system: System, text: str) -> set[str | None]:
    with transaction(system.engine) as session:
        return set(session.scalars(select(PredictionLog.feedback_label).where(PredictionLog.text == text)))


def accessibility_violations(page: Page) -> list[Any]:
    """Return axe's serious and critical violations on the current page."""
    page.evaluate(AXE.read_text())  # through the debugger, because the CSP blocks foreign scripts
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        {"rule": violation["id"], "where": [node["html"][:200] for node in violation["nodes"]]}
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
    ]


def layout_violations(page: Page) -> list[Any]:
    """Return axe's violations in light mode, in dark mode and on a phone, and any horizontal overflow."""
    found: list[Any] = []
    original = page.viewport_size or {"width": 1440, "height": 1000}
    views: list[tuple[Any, int]] = [("light", original["width"]), ("dark", original["width"]), ("light", 360)]
    for scheme, width in views:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.set_viewport_size({"width": width, "height": original["height"]})
        # Charts are redrawn for the new width.
        if not wait_until(
            lambda: page.evaluate("document.documentElement.scrollWidth <= innerWidth"), seconds=5
        ):
            found.append(f"{page.evaluate('document.documentElement.scrollWidth')} pixels on {width}")
        found += accessibility_violations(page)
    page.emulate_media(color_scheme="light", reduced_motion=None)
    page.set_viewport_size(original)
    return found
