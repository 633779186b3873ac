"""A SageMaker training job as the service would lay it out and run it."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.fixtures.training_jobs import HYPERPARAMETERS
from training.config import MODEL_NAME

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    PORT = free.getsockname()[1]
QUIET = ["-W", "ignore"]
JOB = ["-m", "training.sagemaker.job", "train"]
# On a machine with several devices the job itself starts as many processes; here they are asked for.
TWO_PROCESSES = ["-m", "torch.distributed.run", "--nproc-per-node=2", f"--master-port={PORT}"]


class Job:
    """A training job as SageMaker would lay it out, run in a process of its own."""

    def __init__(
        self, root: Path, data: Path, model: Path, store: Path, *, python: Path = Path(sys.executable)
    ) -> None:
        self.root = root
        self.environment = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{store}"}
        self.environment["MASTER_PORT"] = str(PORT)
        self.python = [str(python), *QUIET]
        self.command = [*self.python, *JOB]
        self.hyperparameters = HYPERPARAMETERS | {"model": str(model)}
        (root / "model").mkdir(parents=True)
        self.channel("training", data)

    def channel(self, name: str, file: Path) -> None:
        folder = self.root / "input" / "data" / name
        folder.mkdir(parents=True)
        shutil.copy(file, folder)

    def configure(self, name: str, content: dict[str, Any]) -> None:
        folder = self.root / "input" / "config"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.json").write_text(json.dumps(content))

    def start(self, job: str, **hyperparameters: str) -> subprocess.Popen[str]:
        self.configure("hyperparameters", {**self.hyperparameters, "job": job, **hyperparameters})
        return subprocess.Popen(
            [*self.command, "--root", str(self.root)],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, job: str, **hyperparameters: str) -> tuple[int, str]:
        process = self.start(job, **hyperparameters)
        output = process.communicate()[0]
        return process.returncode, output

    @property
    def failure(self) -> str | None:
        file = self.root / "output" / "failure"
        return file.read_text() if file.exists() else None

    def record(self) -> dict[str, Any]:
        record: dict[str, Any] = json.loads((self.root / "model" / "run.json").read_text())
        return record

    def packed(self, folder: Path) -> Path:
        """Return model.tar.gz, as SageMaker packs the folder `model` when a job is done."""
        with tarfile.open(folder / "model.tar.gz", "w:gz") as archive:
            archive.add(self.root / "model", arcname=".")
        return folder / "model.tar.gz"


MakeJob = Callable[..., Job]


def runs(store: Path) -> list[Any]:
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{store}")
    experiment = client.get_experiment_by_name(MODEL_NAME)
    return [] if experiment is None else list(client.search_runs([experiment.experiment_id]))


def registered(store: Path) -> list[str]:
    """Return the runs whose models are registered, one for each version."""
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{store}", registry_uri=f"sqlite:///{store}")
    return [version.run_id for version in client.search_model_versions(f"name = '{MODEL_NAME}'")]


def wait_for(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return
    raise AssertionError(f"the job ended without saying {text!r}")
