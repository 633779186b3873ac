"""Uses the page as people do, and looks up what came of it."""

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


def ask(page: Page, text: str) -> str:
    """Ask about a text by keyboard and return the prediction's id."""
    page.goto("/")
    page.get_by_label("Review").fill(text)
    page.keyboard.press("Control+Enter")
    answer = page.get_by_test_id("answer")
    expect(answer).to_contain_text("confidence")
    found = re.search(r"id ([0-9a-f-]{36})", answer.inner_text())
    assert found
    return found[1]


def stored(system: System, prediction_id: str) -> Any:
    """Return the stored text, sentiment and label of a prediction, once it is there."""
    log = PredictionLog
    query = select(log.text, log.sentiment, log.feedback_label).where(log.id == UUID(prediction_id))
    with transaction(system.engine) as session:
        assert wait_until(lambda: session.execute(query).first() is not None, seconds=20)
        return session.execute(query).one()


def labels_of(system: System, text: str) -> set[str | None]:
    with transaction(system.engine) as session:
        return set(session.scalars(select(PredictionLog.feedback_label).where(PredictionLog.text == text)))


def serious(page: Page) -> list[Any]:
    """Return what axe finds seriously wrong with the page as it is shown now."""
    page.evaluate(AXE.read_text())  # by the debugger: the policy would let no script of a stranger in
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        {"rule": one["id"], "where": [node["html"][:200] for node in one["nodes"]]}
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]


def unusable(page: Page) -> list[Any]:
    """Return what axe finds in light, in dark and on a telephone, where nothing may be wider than that."""
    found: list[Any] = []
    usual = page.viewport_size or {"width": 1440, "height": 1000}
    views: list[tuple[Any, int]] = [("light", usual["width"]), ("dark", usual["width"]), ("light", 360)]
    for scheme, width in views:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.set_viewport_size({"width": width, "height": usual["height"]})
        # Charts are drawn again for the new width.
        if not wait_until(
            lambda: page.evaluate("document.documentElement.scrollWidth <= innerWidth"), seconds=5
        ):
            found.append(f"{page.evaluate('document.documentElement.scrollWidth')} pixels on {width}")
        found += serious(page)
    page.emulate_media(color_scheme="light", reduced_motion=None)
    page.set_viewport_size(usual)
    return found
