"""Go from labelled texts to a published and registered model: data, fine-tuning, export, registry."""

import hashlib
import json
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.config import TrainingConfig
from training.data import Dataset, prepare
from training.progress import Progress, silent

if TYPE_CHECKING:
    from training.artifact import Artifact
    from training.tune import Tuned

# The libraries whose version can change what a run gives.
_LIBRARIES = ("tokenizers", "torch", "transformers", "onnxruntime")
_RUN_FILE = "mlflow_run_id"
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
    "train_rows",
    "validation_rows",
    "test_rows",
    "seed",
}


def run(config: TrainingConfig, progress: Progress = silent) -> "Artifact":
    """Train, export, publish and register the model that `config` describes.

    `artifacts/runs/<run key>` keeps the checkpoints, from which `config.resume` goes on. Raises
    TrainingError; after a GateError nothing is published or registered.
    """
    progress("Reading the data")
    data = prepare(config)
    progress(f"Read {_summary(data)}")
    key = _key(config, data)
    folder = config.artifacts / "runs" / key
    progress("Loading the libraries")
    # Imported here so that a mistake in the data is told in a second, not after torch has loaded.
    from training.export import build_artifact
    from training.model import load_classifier
    from training.track import track
    from training.truncation import better, compare
    from training.tune import fine_tune

    progress("Opening the experiment store")
    with track(config, data.fingerprint, run_id=_recorded_run(folder) if config.resume else None) as tracked:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _RUN_FILE).write_text(tracked.id)
        tuned = fine_tune(config, data, folder / "checkpoints", progress=progress, log=tracked.log_metrics)
        classifier = load_classifier(str(tuned.checkpoint), data.labels)
        measured = compare(classifier, data.validation, config.max_length, progress=progress)
        tracked.log_metrics({"validation": measured}, tuned.steps)
        chosen = better(measured) if config.truncation == "auto" else config.truncation
        artifact = build_artifact(
            tuned.checkpoint,
            data.validation,
            data.test,
            max_length=config.max_length,
            truncation=chosen,
            labels=data.labels,
            artifacts=config.artifacts,
            card_fields={
                "base_model": config.model,
                "data": _data_card(config, data),
                "truncation_metrics": measured,
                "training": _training_card(config, tuned, key),
                "git_commit": _git_commit(),
                "mlflow_run_id": tracked.id,
            },
            progress=progress,
        )
        progress("Registering the model")
        tracked.register(artifact.folder, artifact.card)
    return artifact


def run_key(config: TrainingConfig) -> str:
    """Return what identifies the result of a run: its recipe, its data, this code and the libraries under it.

    Reads the data, which takes a second for the embedded reviews.
    """
    return _key(config, prepare(config))


def current_artifact(config: TrainingConfig) -> "Artifact | None":
    """Return the published artefact if it is what `run` would make again, else None."""
    link = config.artifacts / "model"
    try:
        card = json.loads((link / "model.json").read_text())
    except (OSError, ValueError):
        return None
    if card.get("training", {}).get("run_key") != run_key(config):
        return None
    from training.artifact import Artifact

    return Artifact(folder=link.resolve(), card=card)


def _key(config: TrainingConfig, data: Dataset) -> str:
    code = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        code.update(path.read_bytes())
    identity = {
        "recipe": config.recipe() | {"data": data.fingerprint, "model": _model_identity(config.model)},
        "code": code.hexdigest(),
        "libraries": {name: version(name) for name in _LIBRARIES},
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def _model_identity(name: str) -> str:
    """Return the name of a model, or for a local folder what is in it: it may be trained again in place."""
    folder = Path(name)
    if not folder.is_dir():
        return name
    content = hashlib.sha256()
    for path in sorted(folder.glob("*.*")):
        if path.is_file():
            with path.open("rb") as file:
                content.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return content.hexdigest()


def _data_card(config: TrainingConfig, data: Dataset) -> dict[str, Any]:
    return {
        "name": data.name,
        "options": config.model_dump(mode="json", include=_DATA_OPTIONS - {"data"}),
        "fingerprint": data.fingerprint,
        "rows": data.sizes,
        "dropped": data.dropped,
    }


def _training_card(config: TrainingConfig, tuned: "Tuned", key: str) -> dict[str, Any]:
    recipe = {name: value for name, value in config.recipe().items() if name not in _DATA_OPTIONS}
    return {
        **recipe,
        "run_key": key,
        "steps": tuned.steps,
        "seconds": round(tuned.seconds, 1),
        "resumed_from_step": tuned.resumed_from_step,
        "trained_in": tuned.precision,
    }


def _summary(data: Dataset) -> str:
    sizes = ", ".join(f"{size:,} {part}" for part, size in data.sizes.items())
    dropped = ", ".join(f"{count:,} {reason.replace('_', ' ')}" for reason, count in data.dropped.items())
    return f"{data.name}: {sizes} rows; left out: {dropped or 'none'}"


def _recorded_run(folder: Path) -> str | None:
    file = folder / _RUN_FILE
    return file.read_text() if file.exists() else None


def _git_commit() -> str | None:
    """Return the commit of this code, ending in -dirty if there are changes; None outside a repository."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        found = subprocess.run(  # noqa: S603  (a fixed command)
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()
