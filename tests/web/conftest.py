"""The page in a real browser, on the whole local system with the tests' artifact.

`PAGE_MODEL` sets another one: `PAGE_MODEL=artifacts/model pytest tests/web` makes the README's pictures.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from math import sin
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright
from rich.console import Console
from sentiment.database.feedback import store_feedback
from sentiment.database.predictions import store_predictions
from sentiment.database.session import transaction
from sentiment.messages import PredictionMade

from local.demo.drift import delete_alerts, send_hour
from local.progress import Steps
from local.stand_ins.gateway import running_gateway
from local.stand_ins.static_site import BUILT, ROOT, StaticSite
from local.system import System, running_system
from tests.fixtures.messages import feedback, prediction

# The latest screenshots, for review and for the README.
SCREENSHOTS = Path("artifacts/screenshots")
TIMEOUT_MS = 30_000  # the first request waits for the model
expect.set_options(timeout=TIMEOUT_MS)
MONITOR_SETTINGS = {"MINIMUM_ROWS": "50", "SUFFICIENT_ROWS": "50", "ON_DRIFT": "notify"}


@pytest.fixture(scope="package")
def system(tmp_path_factory: pytest.TempPathFactory, tiny_artifact: Path) -> Iterator[System]:
    """The local system, with a drift monitor that accepts as few predictions as a test sends."""
    steps = Steps(Console(file=StringIO()))
    folder = tmp_path_factory.mktemp("system")
    model = Path(os.environ.get("PAGE_MODEL") or tiny_artifact)
    with running_system(folder, steps, model_dir=model, monitor_settings=MONITOR_SETTINGS) as system:
        yield system


def built_page() -> Path:
    """Build the page with `make web` if its sources are newer; skips without npm."""
    entry = BUILT / "index.html"
    sources = [*ROOT.glob("*.*"), *ROOT.glob("src/**/*"), *ROOT.glob("public/*"), *ROOT.glob("openapi/*")]
    if entry.exists() and entry.stat().st_mtime >= max(source.stat().st_mtime for source in sources):
        return BUILT
    if shutil.which("npm") is None:
        pytest.skip("npm is missing: the page needs Node.js 20 or newer to be built")
    subprocess.run(["make", "web"], cwd=ROOT.parent, check=True)
    return BUILT


@pytest.fixture(scope="package")
def address(system: System) -> Iterator[str]:
    with running_gateway(system.api, system.reports, site=StaticSite(built_page())) as url:
        yield url


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; skips with instructions if it is missing."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("chromium is missing: apt-get install chromium")
    # Root cannot use the sandbox, and containers have little shared memory.
    options = ["--disable-dev-shm-usage", *([] if os.geteuid() else ["--no-sandbox"])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=options)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """Open an empty tab; the test fails if the browser logs an error, such as a CSP violation."""
    context = browser.new_context(
        base_url=address,
        viewport={"width": 1440, "height": 1000},
        accept_downloads=True,
        color_scheme="light",
    )
    context.set_default_timeout(TIMEOUT_MS)
    tab = context.new_page()
    browser_errors: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:
            browser_errors.append(message.text)

    tab.on("console", note)
    tab.on("pageerror", lambda error: browser_errors.append(str(error)))
    yield tab
    context.close()
    assert browser_errors == []


def screenshot(page: Page, name: str, *, full_page: bool = True) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=full_page)


def daily_prediction(hours_ago: int, number: int, version: str) -> PredictionMade:
    """Make one prediction of a day with varying values."""
    confidence = 0.99 - 0.02 * (number % 20)
    label, other = ("positive", "negative") if (number + hours_ago) % 2 else ("negative", "positive")
    return prediction(
        datetime.now(UTC) - timedelta(hours=hours_ago, minutes=number),
        text=f"Film {number} of hour {hours_ago}",
        sentiment=label,
        confidence=confidence,
        probabilities={label: confidence, other: 1 - confidence},
        inference_time_ms=6 + 3 * abs(sin(hours_ago)) + number % 7,
        model_version=version,
    )


@pytest.fixture(scope="package")
def shifted(system: System) -> System:
    """The system after a day without drift and two hours of texts unlike the training data."""
    with transaction(system.engine) as session:
        for hours_ago in range(2, 24):
            made = [
                daily_prediction(hours_ago, number, system.card["model_version"])
                for number in range(20 + hours_ago)
            ]
            store_predictions(session, made)
            labels = [feedback(each.prediction_id, label=each.sentiment) for each in made[::9]]
            store_feedback(session, labels)
    other = [f"Zugang gesperrt, Fehler {number}: bitte später noch einmal" for number in range(256)]
    delete_alerts(system)
    for _ in range(2):
        send_hour(system, other)
        system.drift_monitor.invoke({"scheduled_at": datetime.now(UTC).isoformat()})
    return system
