"""Batch classification: files, results, errors and canceling."""

import csv
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from local.system import System
from tests.web.actions import layout_violations, stored
from tests.web.conftest import screenshot

pytestmark = pytest.mark.slow


def drop(page: Page, path: Path) -> None:
    """Drop a file onto the page; Playwright has no action for it."""
    transfer = page.evaluate_handle(
        """([name, content]) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([content], name, {type: "text/csv"}));
            return transfer;
        }""",
        [path.name, path.read_text()],
    )
    target = page.get_by_test_id("drop")
    target.dispatch_event("dragover", {"dataTransfer": transfer})
    expect(target).to_have_class("drop over")
    target.dispatch_event("drop", {"dataTransfer": transfer})
    expect(target).to_have_class("drop")


def test_a_csv_of_five_hundred_rows_is_classified_and_downloaded(
    page: Page, system: System, tmp_path: Path
) -> None:
    texts = [
        f"Review {number}: {'superb' if number % 2 else 'awful'} film, with a comma" for number in range(500)
    ]
    with (tmp_path / "reviews.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["id", "review"], *([number, text] for number, text in enumerate(texts))])
    page.goto("/batch")
    drop(page, tmp_path / "reviews.csv")
    page.get_by_role("button", name="Classify 500 texts").click()
    page.get_by_role("link", name="Model").click()  # the job continues meanwhile
    expect(page.get_by_role("region", name="Card")).to_be_visible()
    page.get_by_role("link", name="Batch").click()
    expect(page.get_by_test_id("progress")).to_have_text("500 of 500 classified", timeout=60_000)
    screenshot(page, "batch")
    assert layout_violations(page) == []

    page.get_by_label("Search texts").fill("Review 499:")
    expect(page.locator("tbody tr")).to_have_count(1)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    download.value.save_as(tmp_path / "results.csv")
    with (tmp_path / "results.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert [row["text"] for row in rows] == texts
    assert [int(row["row"]) for row in rows] == list(range(2, 502)), "the rows of the file"
    assert {row["sentiment"] for row in rows} <= set(system.card["labels"])
    assert stored(system, rows[-1]["prediction_id"]).text == texts[-1]


def test_a_file_is_read_from_the_chosen_column_or_rejected_with_a_reason(page: Page, tmp_path: Path) -> None:
    def choose(content: bytes, name: str = "some.csv") -> None:
        (tmp_path / name).write_bytes(content)
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="Choose a CSV").click()
        chooser.value.set_files(tmp_path / name)

    page.goto("/batch")
    choose(b"")
    expect(page.get_by_role("alert")).to_contain_text("some.csv is empty")
    choose(b'text\nfine\n"never closed\n')
    expect(page.get_by_role("alert")).to_contain_text("row 3: Quoted field unterminated")
    choose(b"text\nfine\nthin, but good\n")
    expect(page.get_by_role("alert")).to_contain_text("row 3 has 2 cells and the first row 1")
    choose(b"thin, but good\nfine\n", "some.txt")
    expect(page.get_by_role("button", name="Classify 2 texts")).to_be_enabled()
    choose("Titel;Meinung\nA;Süß und schön, mit viel Gefühl\n".encode("cp1252"))
    expect(page.get_by_text("some.csv:")).to_be_visible()  # until then the options are those of some.txt
    page.get_by_text("First row is a header").click()
    page.get_by_label("Text column").select_option("Meinung")
    page.get_by_role("button", name="Classify 1 text").click()
    expect(page.locator("tbody")).to_contain_text("Süß und schön, mit viel Gefühl")
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_role("button", name="Classify 0 texts")).to_be_disabled()


def test_a_batch_can_be_canceled_and_resumed(page: Page) -> None:
    page.goto("/batch")
    page.get_by_label("Reviews, one per line").fill(
        "\n".join(f"Line {number}, a fine film" for number in range(96))
    )
    requests = 0

    def cancel_at_second(route: Any) -> None:
        nonlocal requests
        requests += 1
        if requests == 2:
            page.get_by_role("button", name="Cancel").click()
            route.abort()
        else:
            route.continue_()

    page.route("**/api/predict/batch", cancel_at_second)
    page.get_by_role("button", name="Classify 96 texts").click()
    expect(page.get_by_test_id("progress")).to_have_text("32 of 96 classified, canceled")
    page.get_by_role("button", name="Resume (64 left)").click()
    expect(page.get_by_test_id("progress")).to_have_text("96 of 96 classified")
