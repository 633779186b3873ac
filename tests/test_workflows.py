"""Rules of the GitHub workflows: pinned actions, least permissions, an end to every job, our own targets."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def load(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text())  # type: ignore[no-any-return]


JOBS = [
    pytest.param(job, id=f"{path.stem}-{name}")
    for path in WORKFLOWS
    for name, job in load(path)["jobs"].items()
]


def commands(job: dict[str, Any]) -> Iterator[str]:
    for step in job.get("steps", []):
        if "run" in step:
            yield step["run"]


def unpinned(text: str) -> list[str]:
    """Return what `uses:` names without a full commit and, as a comment, the version it is."""
    used = re.findall(r"uses: (.+)", text)
    return [each for each in used if not each.startswith("./") and not PINNED.fullmatch(each)]


def unknown_targets(command: str, makefile: str) -> list[str]:
    targets = set(re.findall(r"^([a-z][\w-]*):", makefile, re.MULTILINE))
    return [target for target in re.findall(r"\bmake ([a-z][\w-]*)", command) if target not in targets]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_action_is_pinned_to_a_commit_and_says_its_version(path: Path) -> None:
    assert unpinned(path.read_text()) == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_do_nothing_that_its_jobs_do_not_ask_for(path: Path) -> None:
    assert load(path)["permissions"] == {}


PUBLISH = load(ROOT / ".github/workflows/release.yml")["jobs"]["publish"]


@pytest.mark.parametrize("job", JOBS)
def test_a_job_says_its_permissions_and_may_write_nothing_but_a_token(job: dict[str, Any]) -> None:
    permissions = job["permissions"]
    if job == PUBLISH:
        assert permissions == {"contents": "write"}
    else:
        assert permissions.items() <= {"contents": "read", "id-token": "write"}.items()


def test_the_job_that_may_write_runs_no_code_of_the_repository() -> None:
    assert [step["uses"].partition("@")[0] for step in PUBLISH["steps"] if "uses" in step] == [
        "actions/download-artifact"
    ]
    assert [command.split()[0] for command in commands(PUBLISH)] == ["gh"]


def test_only_a_tag_that_fits_version_and_changelog_is_released_and_only_after_the_checks() -> None:
    release = load(ROOT / ".github/workflows/release.yml")
    assert release[True] == {"push": {"tags": ["v*"]}}  # YAML 1.1 reads the key `on` as true
    jobs = release["jobs"]
    assert [jobs[name]["needs"] for name in ("ci", "build", "publish")] == ["version", "ci", "build"]
    assert jobs["ci"]["uses"] == "./.github/workflows/ci.yml"
    assert any("release_notes.py" in command for command in commands(jobs["version"]))


@pytest.mark.parametrize("job", JOBS)
def test_a_job_ends_by_itself(job: dict[str, Any]) -> None:
    called = load(ROOT / job["uses"])["jobs"].values() if "uses" in job else [job]
    assert called
    for each in called:
        assert 0 < each["timeout-minutes"] <= 90


@pytest.mark.parametrize("job", JOBS)
def test_a_job_that_takes_a_token_runs_in_an_environment(job: dict[str, Any]) -> None:
    if job["permissions"].get("id-token") == "write":
        called = load(ROOT / job["uses"])["jobs"].values() if "uses" in job else [job]
        assert all(each["environment"] for each in called)


@pytest.mark.parametrize("job", JOBS)
def test_a_checkout_leaves_no_credentials_behind(job: dict[str, Any]) -> None:
    for step in job.get("steps", []):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_workflows_run_make_targets_that_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    run = [command for path in WORKFLOWS for job in load(path)["jobs"].values() for command in commands(job)]
    assert any("make check" in command for command in run)
    assert any("make test" in command for command in run)
    assert [target for command in run for target in unknown_targets(command, makefile)] == []


def test_ci_runs_each_make_target_in_one_job_and_no_part_of_one_by_hand() -> None:
    jobs = load(ROOT / ".github/workflows/ci.yml")["jobs"].values()
    run = [command for job in jobs for command in commands(job) if "apt-get" not in command]
    targets = [re.fullmatch(r"(?:sudo \S+ )?make ([a-z-]+)(?: [A-Z]+=.*)?", command) for command in run]
    assert all(targets), run
    names = [target[1] for target in targets if target and target[1] != "setup"]
    assert sorted(names) == ["check", "cloud", "images", "synth", "test"]


def test_commands_hold_no_expression_that_a_branch_name_or_title_could_turn_into_code() -> None:
    for path in WORKFLOWS:
        for job in load(path)["jobs"].values():
            for command in commands(job):
                expressions = re.findall(r"\$\{\{\s*(\S+)\s*\}\}", command)
                assert [each for each in expressions if not each.startswith("matrix.")] == [], command


def test_workflows_that_one_push_can_start_twice_say_which_of_the_two_waits() -> None:
    assert load(ROOT / ".github/workflows/ci.yml")["concurrency"]["group"]
    for name in ("deploy", "release"):
        concurrency = load(ROOT / f".github/workflows/{name}.yml")["concurrency"]
        assert concurrency["cancel-in-progress"] is False, "a release must not be cut off halfway"


def test_environments_are_deployed_in_order_and_only_what_passed_the_checks() -> None:
    jobs = load(ROOT / ".github/workflows/deploy.yml")["jobs"]
    assert [jobs[name]["needs"] for name in ("model", "dev", "staging", "prod")] == [
        *("ci", "model", "dev", "staging")
    ]
    for name in ("dev", "staging", "prod"):
        assert jobs[name]["with"]["environment"] == name


def test_checks_run_on_the_oldest_and_newest_python_that_the_project_takes() -> None:
    versions = load(ROOT / ".github/workflows/ci.yml")["jobs"]["test"]["strategy"]["matrix"]["python"]
    requires = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    oldest, beyond = (int(part) for part in re.findall(r"3\.(\d+)", requires))
    assert versions == [f"3.{minor}" for minor in range(oldest, beyond)]


def test_dependabot_watches_everything_that_has_a_lock_or_a_pin() -> None:
    updates = load(ROOT / ".github" / "dependabot.yml")["updates"]
    watched = {
        (update["package-ecosystem"], folder)
        for update in updates
        for folder in update.get("directories", [update.get("directory")])
    }
    pinned = {("uv", "/"), ("github-actions", "/")}
    pinned |= {("npm", f"/{path.parent.name}") for path in ROOT.glob("*/package-lock.json")}
    pinned |= {("docker", f"/{path.parent.name}") for path in ROOT.glob("*/Dockerfile")}
    assert watched >= pinned


@pytest.mark.parametrize(
    "used", ["actions/checkout@v7", "actions/checkout@3d3c42e", f"actions/checkout@{'3' * 40}"]
)
def test_the_rule_catches_a_tag_a_short_commit_and_a_commit_without_a_version(used: str) -> None:
    assert unpinned(f"      - uses: {used}") == [used]


def test_the_rule_catches_a_target_that_does_not_exist() -> None:
    assert unknown_targets("make check && make chekc ENV=dev", "check: setup ## Lint\n") == ["chekc"]
