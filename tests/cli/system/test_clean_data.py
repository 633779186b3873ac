"""`make clean` keeps the data, `clean-data` asks and deletes it; both refuse while a system runs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sentiment.exceptions import ConfigurationError
from typer.testing import CliRunner

from cli.main import app
from local.state import owned_state

ROOT = Path(__file__).parents[3]
DATA = ("artifacts/models/one/model.onnx", "artifacts/mlflow.db", ".local/up/postgres/data")
REBUILT = (
    ".venv/.installed",
    "cdk/node_modules/x",
    "web/node_modules/x",
    "web/dist/index.html",
    "cdk.out/dev/x",
    "cli/__pycache__/x",
    ".coverage",
)


@pytest.fixture
def project(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with every kind of data and a stopped system, in which `make clean` can run."""
    monkeypatch.delenv("STATE_DIR", raising=False)
    for name in (*DATA, *REBUILT):
        path = empty_folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    with owned_state(empty_folder / ".local" / "up"):
        pass
    shutil.copy(ROOT / "Makefile", empty_folder)
    command = empty_folder / ".venv" / "bin" / "sentiment"
    command.parent.mkdir()
    command.symlink_to(Path(sys.executable).with_name("sentiment"))
    return empty_folder


def present(folder: Path, names: tuple[str, ...]) -> list[str]:
    return [name for name in names if (folder / name).exists()]


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(["make", *arguments], capture_output=True, text=True, check=False, env=environment)


def test_clean_deletes_what_can_be_rebuilt_and_keeps_the_data(project: Path) -> None:
    done = make("clean")
    assert done.returncode == 0, done.stderr
    assert present(project, DATA) == list(DATA)
    assert present(project, REBUILT) == []
    assert make("clean").returncode == 0, "without a virtual environment there is no command to check with"


def test_clean_refuses_while_a_system_runs(project: Path) -> None:
    with owned_state(project / ".local" / "up"):
        done = make("clean")
    assert done.returncode != 0
    assert f"a system runs on .local/up (process {os.getpid()}), so nothing was deleted" in done.stderr
    assert present(project, DATA + REBUILT) == [*DATA, *REBUILT]


def test_make_help_says_what_each_target_deletes(project: Path) -> None:
    lines = {line.split()[1]: line for line in make("help").stdout.splitlines()}
    assert "never models, predictions or labels" in lines["clean"]
    assert "asks, unless YES=1" in lines["clean-data"]


def test_clean_data_deletes_the_data_after_confirmation(project: Path) -> None:
    refused = CliRunner().invoke(app, ["clean-data"], input="n\n")
    assert refused.exit_code == 1
    assert "Delete all models, training runs, predictions and labels in " in refused.output
    assert str(project / "artifacts") in refused.output and str(project / ".local") in refused.output
    unanswered = CliRunner().invoke(app, ["clean-data"], input="")
    assert unanswered.exit_code == 1
    assert present(project, DATA) == list(DATA)
    agreed = CliRunner().invoke(app, ["clean-data"], input="y\n")
    assert agreed.exit_code == 0, agreed.output
    assert not (project / "artifacts").exists() and not (project / ".local").exists()
    assert present(project, REBUILT) == list(REBUILT)


def test_with_yes_it_does_not_ask_for_confirmation(run: Any, project: Path) -> None:
    assert run("clean-data", "--yes").exit_code == 0
    assert present(project, DATA) == []
    assert "there is no data to delete" in run("clean-data", "--yes").output


@pytest.mark.parametrize("state", [".local", "elsewhere"])
@pytest.mark.parametrize("system", ["up", "demo"])
def test_clean_data_refuses_while_a_system_runs(
    run: Any, project: Path, monkeypatch: pytest.MonkeyPatch, system: str, state: str
) -> None:
    monkeypatch.setenv("STATE_DIR", state)
    with owned_state(project / state / system):
        result = run("clean-data", "--yes")
        assert isinstance(result.exception, ConfigurationError)
        assert f"a system runs on {state}/{system} (process {os.getpid()})" in str(result.exception)
    assert present(project, DATA) == list(DATA)


def test_a_system_that_starts_before_the_confirmation_is_not_touched(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with owned_state(project / ".local" / "up"):
        monkeypatch.setattr("cli.system.clean_data.check_stopped", lambda: None)  # it starts afterwards
        result = CliRunner().invoke(app, ["clean-data"], input="y\n")
    assert isinstance(result.exception, ConfigurationError)
    assert present(project, DATA) == list(DATA)


def test_linked_data_on_another_disk_is_deleted(run: Any, project: Path) -> None:
    other = project / "disk"
    (project / "artifacts").rename(other)
    (project / "artifacts").symlink_to(other)
    assert run("clean-data", "--yes").exit_code == 0
    assert not other.exists() and not (project / "artifacts").is_symlink()
