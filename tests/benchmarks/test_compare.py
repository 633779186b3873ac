"""A command is timed in a commit and in the working tree in turn, and the commit is set up once."""

import os
import subprocess
from pathlib import Path

import pytest

from benchmarks.compare import Pair, environment, main, summary

SETUP = "echo done >> set-up.txt"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository whose first commit takes its time, in a folder whose name holds a space."""
    root = tmp_path / "a project"
    root.mkdir()
    for arguments in (
        ("init", "--quiet"),
        ("config", "user.email", "a@example.com"),
        ("config", "user.name", "A"),
    ):
        subprocess.run(["git", *arguments], cwd=root, check=True)
    commit(root, "sleep 0.3")
    subprocess.run(["git", "tag", "slow"], cwd=root, check=True)
    commit(root, "true")
    return root


def commit(root: Path, script: str) -> None:
    (root / "work.sh").write_text(f"{script}\necho here >> runs.txt\n")
    subprocess.run(["git", "add", "work.sh"], cwd=root, check=True)
    subprocess.run(["git", "commit", "--quiet", "-m", "Work"], cwd=root, check=True)


def checkout(root: Path) -> Path:
    (found,) = root.parent.glob("a project@*")
    return found


def test_both_versions_run_in_turn_and_the_ratio_is_told_pair_by_pair(
    root: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = ["slow", "--repeat", "2", "--setup", SETUP, "--", "sh", "work.sh"]
    assert main(arguments, root=root) == 0
    *_, first, second, last = capfd.readouterr().out.splitlines()
    assert first.startswith("pair 1: slow 0.3")
    assert second.startswith("pair 2: slow 0.3")
    assert last.startswith("times faster, of 2 pairs: median ")
    assert float(last.split("min ")[1].split(",")[0]) > 2

    assert main(arguments, root=root) == 0
    for folder in (root, checkout(root)):
        assert (folder / "runs.txt").read_text() == "here\n" * 4
    assert (checkout(root) / "set-up.txt").read_text() == "done\n", "set up once, for both comparisons"
    assert not (root / "set-up.txt").exists()
    assert len(list((root / "artifacts/compare").iterdir())) == 4


def test_a_command_that_fails_is_no_fast_one(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["slow", "--setup", "true", "--", "echo no such thing; exit 7"], root=root) == 2
    said = capfd.readouterr()
    assert "slow: echo no such thing; exit 7 exited 7\nno such thing" in said.err
    assert "times faster" not in said.out


def test_a_set_up_that_fails_is_told_and_tried_again(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert main(["slow", "--setup", "exit 3", "--", "true"], root=root) == 2
        assert "slow: exit 3 exited 3" in capfd.readouterr().err


def test_a_commit_that_is_not_there_is_named(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["nowhere", "--", "true"], root=root) == 2
    assert capfd.readouterr().err == "error: nowhere: no such commit\n"


def test_each_version_runs_in_its_own_environment(tmp_path: Path) -> None:
    inherited = {"PATH": "/bin", "PYTHONPATH": "/elsewhere", "VIRTUAL_ENV": "/elsewhere/.venv", "HOME": "/h"}
    path = f"{tmp_path}/.venv/bin{os.pathsep}/bin"
    assert environment(tmp_path, inherited) == {"PATH": path, "HOME": "/h"}


def test_the_summary_tells_the_worst_pair_too() -> None:
    said = summary([Pair(8.0, 2.0), Pair(9.0, 3.0), Pair(10.0, 2.0)])
    assert said == "times faster, of 3 pairs: median 4.00, min 3.00, max 5.00"
