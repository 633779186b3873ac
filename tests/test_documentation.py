"""README and docs name and link to what exists, and keep to the width that the project wraps at."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from cli.main import app

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / ".github").rglob("*.md")])
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
WIDTH = 100
README_WORDS = 700
FOLDERS = {path.name for path in ROOT.iterdir() if path.is_dir()}
# What runs and builds leave behind, and what only a running system has.
GENERATED = ("artifacts/", ".local/", ".venv/", "web/dist", "web/node_modules", "cdk.out")
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def prose(text: str) -> str:
    """Return the text without its code blocks."""
    return re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)


def repository_paths(text: str) -> Iterator[str]:
    """Find what is written in backticks as a path from the root of the repository."""
    for code in re.findall(r"`([^`\n]+)`", prose(text)):
        first = code.split("/")[0]
        if "/" in code and first in FOLDERS and re.fullmatch(r"[\w./-]+", code):
            yield code


def modules(text: str) -> set[str]:
    """Find the modules that a reader is told to run."""
    return set(re.findall(r"python (?:-W ignore )?-m ((?:benchmarks|cdk|local|training)[\w.]*)", text))


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", prose(text), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path, text: str) -> list[str]:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(text)):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text())):
            broken.append(link)
    return broken


def wide_lines(text: str) -> list[str]:
    """Find lines of prose that are not wrapped, and table cells that are too long to read."""
    lines = [line for line in prose(text).splitlines() if not line.lstrip().startswith("|")]
    cells = [
        re.sub(r"\]\([^)]*\)", "]", cell.strip())  # an address is not read
        for line in prose(text).splitlines()
        if line.lstrip().startswith("|")
        for cell in re.split(r"(?<!\\)\|", line)
        if not re.fullmatch(r"\s*(`\w+`\s*)+", cell)  # a list of names
    ]
    return [text for text in lines + cells if len(text) > WIDTH and " " in text.strip()]


@each_page
def test_every_path_exists(page: Path) -> None:
    paths = [path for path in repository_paths(page.read_text()) if not path.startswith(GENERATED)]
    assert [path for path in paths if not (ROOT / path).exists()] == []


@each_page
def test_every_module_that_a_reader_is_told_to_run_exists(page: Path) -> None:
    places = [ROOT / name.replace(".", "/") for name in modules(page.read_text())]
    assert [path for path in places if not (path.with_suffix(".py").exists() or path.is_dir())] == []


@each_page
def test_every_link_leads_somewhere(page: Path) -> None:
    assert broken_links(page, page.read_text()) == []


@each_page
def test_every_make_target_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    code = re.findall(r"`[^`\n]+`|^(?: *)make .*$", page.read_text(), flags=re.MULTILINE)
    named = {name for part in code for name in re.findall(r"\bmake ([a-z][\w-]*)", part)}
    assert named - targets == set()


@each_page
def test_every_command_exists(page: Path) -> None:
    commands = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    code = re.findall(r"`[^`\n]+`|^(?: *)sentiment .*$", page.read_text(), flags=re.MULTILINE)
    named = {name for part in code for name in re.findall(r"^`?\s*sentiment ([a-z][\w-]*)", part)}
    assert named - commands == set()


@each_page
def test_lines_are_wrapped_and_cells_are_short(page: Path) -> None:
    assert wide_lines(page.read_text()) == []


@each_page
def test_artifact_has_one_spelling(page: Path) -> None:
    assert re.findall("arte" + "fact", page.read_text(), re.IGNORECASE) == []


def test_the_readme_is_short() -> None:
    assert len(prose((ROOT / "README.md").read_text()).split()) <= README_WORDS


def test_the_index_lists_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    assert [page.name for page in (ROOT / "docs").glob("*.md") if f"({page.name})" not in index] == [
        "README.md"
    ]


@pytest.mark.parametrize("record", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_a_status_and_a_date_and_is_in_the_index(record: Path) -> None:
    found = re.match(
        r"# (\d{4}) (.+)\n\n- Status: (Accepted|Superseded by \[\d{4}\]\(\S+\))\n- Date: (\d{4}-\d\d-\d\d)\b",
        record.read_text(),
    )
    assert found, "begin with the title, `- Status:` and `- Date:`"
    number, title, status, date = found.groups()
    row = f"| [{number}]({record.name}) | {title} | {status} | {date} |"
    assert record.name.startswith(number)
    assert row in (record.parent / "README.md").read_text()


def test_the_rules_catch_what_they_are_for(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    links = "[here](#a-heading-of-two), [there](#none), [that](no.md)"
    text = f"# A heading, of two\n\nSee `docs/none.md`, {links}.\n"
    page.write_text(text)
    assert list(repository_paths(text)) == ["docs/none.md"]
    assert broken_links(page, text) == ["#none", "no.md"]
    assert wide_lines("word " * 21) and wide_lines("| word | " + "word " * 21 + "|")
    assert wide_lines("```\n" + "word " * 21 + "\n```") == []
    assert modules("run `python -m benchmarks.none`") == {"benchmarks.none"}
