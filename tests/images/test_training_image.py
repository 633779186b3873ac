"""The training image with SageMaker's folders: a fine-tuning and export, and a job that fails."""

import json
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.fixtures.base_images import python_base
from tests.fixtures.containers import ROOT, Podman
from tests.fixtures.training_jobs import HYPERPARAMETERS
from tests.images.conftest import Record

pytestmark = [pytest.mark.image, pytest.mark.timeout(2400)]

PRETRAINED = "/opt/ml/input/data/pretrained"


@pytest.fixture(scope="module")
def training_image(podman: Podman) -> Iterator[str]:
    """The image, with the same build of torch as this environment: a CPU build, or PyPI's with CUDA."""
    python_base(podman)
    torch = {"TORCH": "cpu", "TORCH_INDEX": ""} if version("torch").endswith("+cpu") else {"TORCH": "cuda"}
    image = "localhost/sentiment-tests/training"
    yield podman.build(image, dockerfile=ROOT / "training/Dockerfile", build_args=torch)
    podman.remove_image(image)


@dataclass
class Job:
    """One training job with its /opt/ml folder, as SageMaker creates it."""

    podman: Podman
    image: str
    root: Path

    def channel(self, name: str, *sources: Path) -> None:
        folder = self.root / "input/data" / name
        folder.mkdir(parents=True)
        for source in sources:
            shutil.copy(source, folder)

    def run(self, **hyperparameters: str) -> "subprocess.CompletedProcess[str]":
        """Run the job without a network, as in SageMaker's network isolation."""
        folder = self.root / "input/config"
        folder.mkdir(parents=True)
        (folder / "hyperparameters.json").write_text(json.dumps(hyperparameters))
        return self.podman.attempt(
            *("run", "--rm", "--pull=never", "--network=none", "--volume", f"{self.root}:/opt/ml"),
            *("--env", "HF_HUB_OFFLINE=1", self.image, "train"),
            timeout_seconds=600,
        )

    def packed_model(self, folder: Path) -> Path:
        """Return model.tar.gz, as SageMaker packs /opt/ml/model after a job."""
        with tarfile.open(folder / "model.tar.gz", "w:gz") as archive:
            archive.add(self.root / "model", arcname=".")
        return folder / "model.tar.gz"


@pytest.fixture
def job(podman: Podman, training_image: str, tmp_path: Path) -> Job:
    return Job(podman, training_image, tmp_path / "ml")


def test_fine_tuning_and_export_write_an_artifact(
    job: Job, podman: Podman, tmp_path: Path, reviews_csv: Path, tiny_model: Path, record: Record
) -> None:
    job.channel("training", reviews_csv)
    job.channel("pretrained", *tiny_model.iterdir())
    tuned = job.run(job="fine_tune", model=PRETRAINED, **HYPERPARAMETERS)
    assert tuned.returncode == 0, tuned.stdout + tuned.stderr

    export = Job(podman, job.image, tmp_path / "export")
    export.channel("training", reviews_csv)
    export.channel("checkpoint", job.packed_model(tmp_path))
    exported = export.run(job="export")
    assert exported.returncode == 0, exported.stdout + exported.stderr

    files = {path.name for path in (export.root / "model").iterdir()}
    assert files >= {"model.onnx", "tokenizer.json", "model.json", "reference.parquet", "golden.json"}
    assert not (export.root / "output/failure").exists()
    record("training", size_mb=round(podman.inspect(job.image)["Size"] / 1e6))


def test_a_failed_job_reports_the_reason_in_one_line_and_its_exit_code(job: Job) -> None:
    failed = job.run(job="fine_tune", learning_rat="0.03")

    assert failed.returncode == 2
    reason = (job.root / "output/failure").read_text()
    assert reason.startswith("ConfigError: unknown hyperparameter 'learning_rat'; did you mean learning_rate")
    assert len(reason.splitlines()) == 1
    assert not (job.root / "model").exists()


def test_the_image_contains_the_training_program_and_no_build_tools(
    podman: Podman, training_image: str
) -> None:
    with podman.mounted(training_image) as root:
        packages = root / "opt/packages"
        assert {path.name for path in (root / "opt/program").iterdir()} == {"training"}
        assert [name for name in ("bin", "pip", "pytest", "mypy") if (packages / name).exists()] == []
        assert not any((root / folder).exists() for folder in ("build", "root/.cache", "opt/ml"))
