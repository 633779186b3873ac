"""The record of a fine-tuning, stored as `run.json` beside the checkpoint so that any job can publish it.

It becomes the data and training parts of the model card.
"""

import subprocess
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from training.config import TrainingConfig
from training.data.dataset_metrics import describe
from training.data.rows import Dataset
from training.errors import DataError, ModelError

FILE = "run.json"
_DATA_OPTIONS = {
    "data",
    "source",
    "subset",
    "split",
    "test_split",
    "text_column",
    "label_column",
    "labels",
    "drop_bad_rows",
    "streaming",
    "train_rows",
    "validation_rows",
    "test_rows",
    "seed",
}


class TrainingRecord(BaseModel):
    """One fine-tuning: its recipe, data and cost."""

    model_config = ConfigDict(frozen=True)

    config: TrainingConfig
    data_fingerprint: str
    run_key: str
    steps: int
    seconds: float  # since the last resume
    resumed_from_step: int
    precision: str
    processes: int
    git_commit: str | None
    mlflow_run_id: str | None
    distilled_from: dict[str, int | str] | None = None  # the teacher's layers and the hash of its files

    def write(self, folder: Path) -> None:
        """Write the record into the folder of the checkpoint."""
        (folder / FILE).write_text(self.model_dump_json(indent=2) + "\n")

    def check_data(self, data: Dataset) -> None:
        """Raise DataError unless `data` is what was trained on: another split may leak test rows."""
        if data.fingerprint != self.data_fingerprint:
            raise DataError(
                f"{data.name} is not the data that the checkpoint was trained on ({data.fingerprint[:19]}, "
                f"not {self.data_fingerprint[:19]}); give the same data to every job"
            )

    def card_fields(self, data: Dataset) -> dict[str, Any]:
        """Return the fields of the card that describe data and training."""
        recipe = {name: value for name, value in self.config.recipe().items() if name not in _DATA_OPTIONS}
        return {
            "base_model": self.config.model,
            "data": {
                "name": data.name,
                "options": self.config.model_dump(mode="json", include=_DATA_OPTIONS - {"data"}),
                "fingerprint": data.fingerprint,
                "rows": data.sizes,
                "train_sources": data.sources,
                "dropped": data.dropped,
                "metrics": describe(data),
            },
            "training": {
                **recipe,
                "run_key": self.run_key,
                "steps": self.steps,
                "seconds": round(self.seconds, 1),
                "resumed_from_step": self.resumed_from_step,
                "trained_in": self.precision,
                "processes": self.processes,
                "distilled_from": self.distilled_from,
            },
            "git_commit": self.git_commit,
            "mlflow_run_id": self.mlflow_run_id,
        }


def read_record(folder: Path) -> TrainingRecord:
    """Read the record beside a checkpoint; raises ModelError when it is missing or damaged."""
    path = folder / FILE
    try:
        return TrainingRecord.model_validate_json(path.read_text())
    except OSError as error:
        raise ModelError(f"no {FILE} in {folder}; give the output of a fine-tuning job") from error
    except ValidationError as error:
        raise ModelError(f"{path} is damaged or of another version: {error.errors()[0]['msg']}") from error


def git_commit() -> str | None:
    """Return the commit of this code, with -dirty if there are changes; None outside a repository."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        found = subprocess.run(  # noqa: S603  (a fixed command)
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()
