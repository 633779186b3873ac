import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app

OURS = (
    "API_PORT",
    "AWS_",
    "DATABASE_",
    "DEAD_LETTER",
    "INPUT_HASH_KEY",
    "MODEL_DIR",
    "POSTGRES_",
    "QUEUE_",
    "UNSENT_",
)


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Run in a folder without a .env, and with none of our variables set before or left behind."""
    before = dict(os.environ)
    for name in before:
        if name.startswith(OURS):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in os.environ.keys() - before.keys():
        del os.environ[name]


def run(*arguments: str) -> Result:
    """Run `sentiment` with these arguments in this process; errors are in `exception`."""
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture(name="run")
def run_fixture() -> object:
    return run
