"""What people do with the page, in a real browser on the real system; screenshots are kept."""

import csv
import json
import re
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect
from sentiment.database.models import PredictionLog
from sentiment.database.session import transaction
from sqlalchemy import select

from local.processes import wait_until
from local.system import System
from local.web import ROOT
from tests.reports.driver import check_answer
from tests.web.conftest import picture

pytestmark = pytest.mark.slow

PRAISE = "A wonderful film with superb actors. I loved every minute of it."
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
PLACES = ("/", "/batch", "/review", "/watch", "/card")


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


def drop(page: Page, path: Path) -> None:
    """Let a file fall onto the page as the browser does, which Playwright has no hand for."""
    held = page.evaluate_handle(
        """([name, content]) => {
            const held = new DataTransfer();
            held.items.add(new File([content], name, {type: "text/csv"}));
            return held;
        }""",
        [path.name, path.read_text()],
    )
    place = page.get_by_test_id("drop")
    place.dispatch_event("dragover", {"dataTransfer": held})
    expect(place).to_have_class("drop over")
    place.dispatch_event("drop", {"dataTransfer": held})
    expect(place).to_have_class("drop")


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


def serious(page: Page) -> list[Any]:
    """Return what axe finds seriously wrong with the page as it is shown now."""
    page.evaluate(AXE.read_text())  # by the debugger: the policy would let no script of a stranger in
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        {"rule": one["id"], "where": [node["html"][:200] for node in one["nodes"]]}
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]


def test_a_review_is_answered_explained_and_given_feedback_that_is_stored(page: Page, system: System) -> None:
    prediction_id = ask(page, PRAISE)
    expect(page.get_by_test_id("explained")).to_have_text(re.compile("wonderful"))
    expect(page.locator("[data-testid=explained] mark").first).to_be_visible()
    picture(page, "try")

    row = stored(system, prediction_id)
    assert row.text == PRAISE
    other = "negative" if row.sentiment == "positive" else "positive"
    page.get_by_role("button", name=f"No, it is {other}").click()
    expect(page.get_by_text(f"noted as {other}")).to_be_visible()
    assert wait_until(lambda: stored(system, prediction_id).feedback_label == other, seconds=20)


def test_what_the_model_did_not_read_is_shown_as_such(page: Page) -> None:
    ask(page, "A dull and endless story. " * 150)
    expect(page.get_by_text("longer than the model reads")).to_be_visible()
    expect(page.locator(".unread").first).to_be_visible()


def test_a_text_is_text_whatever_it_looks_like(page: Page) -> None:
    ask(page, "<img src=x onerror=alert(1)> <b>superb</b> film")
    shown = page.get_by_test_id("explained")
    expect(shown).to_contain_text("<img src=x onerror=alert(1)>")
    assert shown.locator("img, b").count() == 0


def test_too_long_a_text_cannot_be_sent(page: Page) -> None:
    page.goto("/")
    page.get_by_label("Review").fill("x" * 5_001)
    expect(page.get_by_text("1 characters too many")).to_be_visible()
    expect(page.get_by_role("button", name="Ask")).to_be_disabled()


def test_an_error_says_what_happened_and_can_be_tried_again(page: Page) -> None:
    def refuse(route: Any) -> None:
        body = {"error": {"code": "not_stored", "message": "no", "correlation_id": "c-42"}}
        route.fulfill(status=503, json=body)

    page.route("**/api/predict", refuse)
    page.goto("/")
    page.get_by_label("Review").fill(PRAISE)
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_role("alert").first).to_contain_text("could not be stored")
    expect(page.get_by_role("alert").first).to_contain_text("c-42")
    page.unroute("**/api/predict")
    page.get_by_role("button", name="Try again").first.click()
    expect(page.get_by_test_id("answer")).to_contain_text("confidence")


def test_nothing_is_lost_while_the_browser_is_offline(page: Page) -> None:
    page.goto("/")
    page.get_by_label("Review").fill(PRAISE)
    page.context.set_offline(True)
    expect(page.get_by_text("You are offline").first).to_be_visible()
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_role("alert").first).to_contain_text("offline")
    page.context.set_offline(False)
    expect(page.get_by_label("Review")).to_have_value(PRAISE)
    page.get_by_role("button", name="Try again").first.click()
    expect(page.get_by_test_id("answer")).to_contain_text("confidence")


def test_five_hundred_lines_of_a_csv_come_back_as_one(page: Page, system: System, tmp_path: Path) -> None:
    texts = [
        f"Review {number}: {'superb' if number % 2 else 'awful'} film, with a comma" for number in range(500)
    ]
    with (tmp_path / "reviews.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["id", "review"], *([number, text] for number, text in enumerate(texts))])
    page.goto("/batch")
    drop(page, tmp_path / "reviews.csv")
    page.get_by_role("button", name="Ask about 500 texts").click()
    page.get_by_role("link", name="Model").click()  # the work goes on meanwhile
    expect(page.get_by_role("region", name="Card")).to_be_visible()
    page.get_by_role("link", name="Batch").click()
    expect(page.get_by_test_id("progress")).to_have_text("500 of 500 answered", timeout=60_000)
    picture(page, "batch")

    page.get_by_label("Only texts with").fill("Review 499:")
    expect(page.locator("tbody tr")).to_have_count(1)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    download.value.save_as(tmp_path / "answered.csv")
    with (tmp_path / "answered.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["text"] for row in rows] == texts
    assert [int(row["row"]) for row in rows] == list(range(2, 502)), "by which they find back to the file"
    assert {row["sentiment"] for row in rows} <= set(system.card["labels"])
    assert stored(system, rows[-1]["prediction_id"]).text == texts[-1]


def test_a_file_is_read_from_the_column_that_is_wanted_and_refused_with_a_reason(
    page: Page, tmp_path: Path
) -> None:
    def choose(content: bytes) -> None:
        (tmp_path / "some.csv").write_bytes(content)
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="Choose a CSV").click()
        chooser.value.set_files(tmp_path / "some.csv")

    page.goto("/batch")
    choose(b"")
    expect(page.get_by_role("alert")).to_contain_text("some.csv is empty")
    choose(b'text\nfine\n"never closed\n')
    expect(page.get_by_role("alert")).to_contain_text("row 3: Quoted field unterminated")
    choose("Titel;Meinung\nA;Süß und schön, mit viel Gefühl\n".encode("cp1252"))
    page.get_by_text("The first line names the columns").click()
    page.get_by_label("Column of the texts").select_option("Meinung")
    page.get_by_role("button", name="Ask about 1 text").click()
    expect(page.locator("tbody")).to_contain_text("Süß und schön, mit viel Gefühl")
    page.get_by_role("button", name="Leave out").click()
    expect(page.get_by_role("button", name="Ask about 0 texts")).to_be_disabled()


def test_a_batch_can_be_cancelled_and_gone_on_with(page: Page) -> None:
    page.goto("/batch")
    page.get_by_label("Reviews, one a line").fill(
        "\n".join(f"Line {number}, a fine film" for number in range(96))
    )
    seen = 0

    def hold(route: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == 2:
            page.get_by_role("button", name="Cancel").click()
            route.abort()
        else:
            route.continue_()

    page.route("**/api/predict/batch", hold)
    page.get_by_role("button", name="Ask about 96 texts").click()
    expect(page.get_by_test_id("progress")).to_have_text("32 of 96 answered, cancelled")
    page.get_by_role("button", name="Go on with the other 64").click()
    expect(page.get_by_test_id("progress")).to_have_text("96 of 96 answered")


def test_the_queue_is_labelled_by_one_key_each_and_a_slip_is_undone(page: Page, system: System) -> None:
    for text in ("zxqv blorp fnord", "Nicht schlecht, aber auch nicht gut.", "meh 12345 ???"):
        ask(page, text)
    assert system.source.drain(30) == 0
    page.goto("/review")
    item = page.get_by_test_id("review-item")
    expect(item).to_be_visible()
    first = item.locator("blockquote").inner_text()
    picture(page, "review")
    page.keyboard.press("1")
    expect(page.get_by_test_id("review-progress")).to_contain_text("1 labelled")
    page.keyboard.press("u")
    expect(item.locator("blockquote")).to_have_text(first)
    expect(page.get_by_test_id("review-progress")).to_contain_text("0 labelled")
    page.keyboard.press("2")
    expect(page.get_by_test_id("review-progress")).to_contain_text("1 labelled")
    page.get_by_role("link", name="Try", exact=True).click()  # leaving sends what is held
    assert wait_until(lambda: system.card["labels"][1] in labels_of(system, first), seconds=20)


def test_labels_that_cannot_be_sent_are_kept_and_sent_later(page: Page, system: System) -> None:
    asked = ask(page, "A film about zxqv and blorp, meh, fnord ???")
    assert stored(system, asked).feedback_label is None
    page.route("**/feedback", lambda route: route.fulfill(status=503, json={"message": "no"}))
    page.goto("/review")
    text = page.get_by_test_id("review-item").locator("blockquote").inner_text()
    page.keyboard.press("1")
    page.get_by_role("link", name="Try", exact=True).click()
    page.get_by_role("link", name="Review").click()
    kept = page.get_by_role("region", name="Labels that were not sent")
    expect(kept).to_contain_text("1 label is kept in this tab")
    page.unroute("**/feedback")
    page.reload()
    kept.get_by_role("button", name="Send now").click()
    expect(kept).to_have_count(0)
    assert wait_until(lambda: system.card["labels"][0] in labels_of(system, text), seconds=20)


def test_what_was_typed_is_there_on_coming_back(page: Page) -> None:
    page.goto("/")
    page.get_by_label("Review").fill(PRAISE)
    page.get_by_role("link", name="Watch").click()
    expect(page.get_by_role("main")).to_be_focused()
    page.get_by_role("link", name="Try", exact=True).click()
    expect(page.get_by_label("Review")).to_have_value(PRAISE)


def test_figures_are_renewed_while_they_are_seen_and_rest_while_hidden(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.install()
    page.goto("/watch")
    expect(page.get_by_role("region", name="Traffic")).to_contain_text("Predictions")

    def pass_a_minute(state: str) -> int:
        page.evaluate(
            "value => { Object.defineProperty(document, 'visibilityState', {value, configurable: true});"
            " document.dispatchEvent(new Event('visibilitychange', {bubbles: true})) }",
            state,
        )
        asked.clear()
        for _ in range(6):
            page.clock.run_for(10_000)
            page.wait_for_load_state("networkidle")
        return sum("/reports/summary" in url for url in asked)

    assert pass_a_minute("visible") >= 1
    assert pass_a_minute("hidden") == 0
    assert pass_a_minute("visible") >= 1


def test_what_reports_answers_is_what_its_document_says(page: Page, shifted: System) -> None:
    paths = page.request.get("/api/reports/openapi.json").json()["paths"]
    answers = {path: page.request.get(f"/api{path}").json() for path in paths if "{" not in path}
    answers["/reports/alerts"] = page.request.get("/api/reports/alerts?state=all").json()
    for path, answer in answers.items():
        check_answer(path, answer)
    (run, *_) = answers["/reports/drift"]["runs"]
    assert {"drift_threshold", "features"} <= run["data_drift"].keys()
    for path in (f"/reports/drift/{run['id']}/page?redirect=false", predictions_path(answers)):
        check_answer(path.partition("?")[0], page.request.get(f"/api{path}").json())


def predictions_path(answers: dict[str, Any]) -> str:
    return f"/reports/predictions/{answers['/reports/predictions']['predictions'][0]['id']}"


def test_a_shift_is_seen_as_an_alert_with_its_figures_and_its_report(page: Page, shifted: System) -> None:
    page.goto("/watch")
    alert = page.get_by_test_id("alert-open").filter(has_text="Data drift")
    expect(alert).to_be_visible()
    alert.locator("summary").click()
    expect(alert).to_contain_text("“fehler”")
    expect(alert).to_contain_text("model version")
    for title in ("Predictions", "Time in the model", "Answers", "Confidence", "Drift score"):
        expect(page.locator("figcaption", has_text=title).first).to_be_visible()
    expect(page.get_by_role("region", name="Deployments, newest first")).to_contain_text(
        shifted.card["model_version"]
    )
    expect(page.locator("svg.recharts-surface").first).to_be_visible()
    accuracy = page.get_by_role("region", name="Accuracy")
    expect(accuracy).to_contain_text(re.compile(r"By \d+ labels [\d.]+%.*by the last estimate.* [\d.]+%"))
    picture(page, "watch-whole")
    alert.locator("summary").click()
    picture(page, "watch", whole=False)
    page.goto("/watch?hours=1")
    alert.locator("summary").click()
    with page.context.expect_page() as opened:
        alert.get_by_role("button", name="Open the report").click()
    opened.value.wait_for_url("**/reports/drift/**")
    expect(opened.value.locator("body")).to_contain_text("Drift")


def test_the_range_is_in_the_address(page: Page) -> None:
    page.goto("/watch?hours=168")
    expect(page.get_by_role("radio", name="1 week")).to_be_checked()
    page.get_by_text("1 hour", exact=True).click()
    expect(page).to_have_url(re.compile(r"/watch\?hours=1$"))


def test_the_model_shows_its_card_and_what_served_before(page: Page, system: System) -> None:
    page.goto("/card")
    card = page.get_by_role("region", name="Card")
    expect(card).to_contain_text(system.card["model_version"])
    expect(card).to_contain_text(system.card["data"]["fingerprint"])
    expect(page.get_by_role("region", name="Evaluation")).to_contain_text("int8, which answers")
    picture(page, "card")


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
    import gzip

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
