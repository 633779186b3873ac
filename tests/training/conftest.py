"""Shared fixtures."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.training.sagemaker.job import Job, MakeJob


@pytest.fixture
def make_artifacts_folder(experiment_store: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that makes an artifacts folder with an empty experiment store."""

    def make(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        shutil.copy(experiment_store, folder / "mlflow.db")
        return folder

    return make


@pytest.fixture
def store(experiment_store: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(experiment_store, tmp_path / "mlflow.db"))


@pytest.fixture
def make_job(tmp_path: Path, reviews_csv: Path, tiny_model: Path, store: Path, warm_python: Path) -> MakeJob:
    """Return a function that lays out a job by its name; `python` is what it runs in."""

    def make(name: str, python: Path = warm_python) -> Job:
        return Job(tmp_path / name, reviews_csv, tiny_model, store, python=python)

    return make


@pytest.fixture
def options(reviews_csv: Path, tiny_model: Path) -> dict[str, Any]:
    return {
        "data": str(reviews_csv),
        "model": str(tiny_model),
        "max_length": 32,
        "epochs": 3,
        "learning_rate": 3e-2,
        "train_rows": 96,
        "validation_rows": 32,
        "test_rows": 32,
    }
