"""Whether a command became faster since a commit: both versions take turns on this machine.

Run as `python -m benchmarks.compare REVISION [--repeat N] -- COMMAND`, for instance

    python -m benchmarks.compare v0.1.0 --repeat 3 -- make test

The commit is checked out beside the working tree, as `../<folder>@<commit>`, and set up there once
(`--setup`, by default `make setup`); later comparisons with it reuse both. The command runs in the two
folders in turn, each with its own virtual environment first on the PATH. Each pair is run in the opposite
order of the one before, so that a drift of the machine hits both versions alike, and the ratio is taken
within each pair.

Only wall time is compared. What the command prints goes to artifacts/compare/, one file for each run. What
Git ignores (trained models, downloads) is not in the checkout: a command that needs it must make it in
`--setup`.
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOGS = Path("artifacts", "compare")
SETUP = "make setup"
SHOWN_LINES = 20  # of a command that failed


class CompareError(Exception):
    """The comparison cannot be made; the message says why."""


@dataclass(frozen=True)
class Version:
    """One of the two folders that the command runs in."""

    name: str
    folder: Path


@dataclass(frozen=True)
class Pair:
    """Seconds of the command in both versions, one after the other."""

    before: float
    after: float

    @property
    def ratio(self) -> float:
        """Return how many times faster the working tree was."""
        return self.before / self.after


def check_out(root: Path, revision: str) -> Version:
    """Check the commit out beside `root` unless it is there already, and return the folder."""
    commit = git(
        root,
        "rev-parse",
        "--verify",
        "--quiet",
        f"{revision}^{{commit}}",
        error=f"{revision}: no such commit",
    )
    folder = root.parent / f"{root.name}@{commit[:12]}"
    if not folder.exists():
        git(root, "worktree", "prune")
        git(root, "worktree", "add", "--detach", str(folder), commit)
    elif git(folder, "rev-parse", "HEAD", error=f"{folder} is no checkout") != commit:
        raise CompareError(
            f"{folder} is not at {commit[:12]}; remove it with: git worktree remove --force {folder}"
        )
    return Version(revision, folder)


def set_up(version: Version, command: str) -> None:
    """Run the set-up command in a checkout, once for each command; raises CompareError when it fails."""
    marker = Path(git(version.folder, "rev-parse", "--absolute-git-dir"), "set-up.json")
    if marker.exists() and json.loads(marker.read_text()) == command:
        return
    print(f"setting up {version.folder}: {command}", flush=True)
    timed(version, command, log=None)
    marker.write_text(json.dumps(command))


def timed(version: Version, command: str, *, log: Path | None) -> float:
    """Run the command in a version's folder and return its wall time in seconds; raises CompareError."""
    with nullcontext(sys.stderr) if log is None else log.open("wb") as output:
        started = time.perf_counter()
        done = subprocess.run(
            ["bash", "-c", command],  # noqa: S607 - the caller's own command
            cwd=version.folder,
            env=environment(version.folder, os.environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
        seconds = time.perf_counter() - started
    if done.returncode:
        said = log.read_text(errors="replace").splitlines()[-SHOWN_LINES:] if log else []
        raise CompareError("\n".join([f"{version.name}: {command} exited {done.returncode}", *said]))
    return seconds


def environment(folder: Path, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for a command in this folder: its environment first, and no modules of others."""
    kept = {name: value for name, value in inherited.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return kept | {"PATH": f"{folder / '.venv' / 'bin'}{os.pathsep}{inherited.get('PATH', os.defpath)}"}


def compare(before: Version, after: Version, command: str, *, repeat: int, logs: Path) -> list[Pair]:
    """Run the command in both versions in turn, `repeat` times; print and return the pairs."""
    logs.mkdir(parents=True, exist_ok=True)
    pairs = []
    for number in range(1, repeat + 1):
        order = (before, after) if number % 2 else (after, before)
        seconds = {
            version: timed(
                version, command, log=logs / f"{number}-{'before' if version is before else 'after'}.log"
            )
            for version in order
        }
        pairs.append(Pair(seconds[before], seconds[after]))
        print(
            f"pair {number}: {before.name} {pairs[-1].before:.2f} s, {after.name} {pairs[-1].after:.2f} s, "
            f"ratio {pairs[-1].ratio:.2f}",
            flush=True,
        )
    return pairs


def summary(pairs: Sequence[Pair]) -> str:
    """Return the ratios of the pairs in one line."""
    ratios = [pair.ratio for pair in pairs]
    return (
        f"times faster, of {len(ratios)} pairs: median {statistics.median(ratios):.2f}, "
        f"min {min(ratios):.2f}, max {max(ratios):.2f}"
    )


def git(folder: Path, *arguments: str, error: str = "") -> str:
    """Return what git says; raises CompareError with `error`, or with what git said."""
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)  # noqa: S607
    if done.returncode:
        raise CompareError(error or done.stderr.strip())
    return done.stdout.strip()


def main(arguments: Sequence[str] | None = None, *, root: Path = ROOT) -> int:
    """Compare, print and return the exit code: 2 when there is no such commit or a command fails."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compare", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("revision", help="commit, tag or branch to compare the working tree with")
    parser.add_argument("--repeat", type=int, default=3, help="pairs to run (3)")
    parser.add_argument(
        "--setup", default=SETUP, help=f"what a checkout needs before its first run ({SETUP})"
    )
    parser.add_argument("command", nargs="+", help="after --; several words are one command, as in a shell")
    options = parser.parse_args(arguments)
    if options.repeat < 1:
        parser.error("--repeat: give 1 or more")
    command = options.command[0] if len(options.command) == 1 else shlex.join(options.command)
    try:
        before, after = check_out(root, options.revision), Version("working tree", root)
        set_up(before, options.setup)
        pairs = compare(before, after, command, repeat=options.repeat, logs=root / LOGS)
    except CompareError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(summary(pairs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
