"""Go from labelled texts to a published and registered model: data, fine-tuning, export, registry.

`run` does it all in one process. The stages take and give folders, so that each can be a job of its own:
`tune_checkpoint`, then `publish` with the record that lies beside the checkpoint.
"""

import hashlib
import json
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from training.code_digest import code_digest
from training.config import TrainingConfig
from training.data.prepare import prepare
from training.data.rows import Dataset
from training.errors import disk_full_guard
from training.progress import Progress, silent
from training.record import TrainingRecord, git_commit

if TYPE_CHECKING:
    from collections.abc import Callable

    from training.export.artifact import Artifact
    from training.finetune.callbacks import Log

# The libraries whose version can change what a run gives.
_LIBRARIES = ("tokenizers", "torch", "transformers", "onnxruntime")
# The modules or packages that, with all they import and this module, decide what a run gives.
_SHAPED_BY = (
    "training.data.prepare",
    "training.finetune.tune",
    "training.finetune.truncation",
    "training.export.export",
    "training.record",
)
_RUN_FILE = "mlflow_run_id"
_TAUGHT = "done"  # beside a teacher that is fully trained, and gone when another begins
_TEACHER_FILES = ("config.json", "model.safetensors", "tokenizer.json")


def run(config: TrainingConfig, progress: Progress = silent) -> "Artifact":
    """Train, export, publish and register the model that `config` describes.

    It is a candidate until `registry` promotes it. Where there is no champion yet it becomes
    that, once all else is done and recorded: a run that fails at any step changes nothing that serves.
    `artifacts/runs/<run key>` keeps the checkpoints, from which `config.resume` goes on. Raises
    TrainingError; after a GateError nothing is published or registered.
    """
    progress("Reading the data")
    data = prepare(config)
    progress(f"Read {summary(data)}")
    folder = config.artifacts / "runs" / run_key(config, data)
    progress("Loading the libraries")
    # Imported here so that a mistake in the data is told in a second, not after torch has loaded.
    from training.registry.registry import serve_if_first
    from training.tracking import CANDIDATE, track

    progress("Opening the experiment store")
    known = recorded_run(folder) if config.resume else None
    with disk_full_guard(config.artifacts), track(config, data.fingerprint, run_id=known) as tracked:
        record_run(folder, tracked.id)
        checkpoint, record = tune_checkpoint(
            config, data, folder, run_id=tracked.id, progress=progress, log=tracked.log_metrics
        )
        artifact = publish(
            checkpoint, record, data, config.artifacts, progress=progress, log=tracked.log_metrics
        )
        page = evaluate_artifact(artifact, folder, tracked.log_metrics, progress)
        tracked.log_files([page], "evaluation")
        progress("Registering the model")
        tracked.register(artifact.folder, artifact.card, alias=CANDIDATE)
    with disk_full_guard(config.artifacts):
        serve_if_first(config.artifacts, artifact.card["model_version"])
    return artifact


def tune_checkpoint(
    config: TrainingConfig,
    data: Dataset,
    folder: Path,
    *,
    run_id: str | None,
    progress: Progress = silent,
    log: "Log" = lambda _metrics, _step: None,
    stopping: "Callable[[], bool]" = lambda: False,
) -> tuple[Path, TrainingRecord]:
    """Fine-tune in `folder`/checkpoints and return the best checkpoint with the record of how it came about.

    Every process of a distributed run calls this, and rank 0 writes what is returned. Once `stopping` returns
    true the run saves itself and raises Interrupted.
    """
    from training.finetune.distill import check
    from training.finetune.model import count_layers
    from training.finetune.tune import fine_tune

    check(config, data.labels)
    teacher = Path(config.teacher) if config.teacher else None
    if config.student_layers is not None and teacher is None:
        teacher = _fine_tuned_teacher(config, data, folder / "teacher", progress, stopping)
    tuned = fine_tune(
        config, data, folder / "checkpoints", progress=progress, log=log, stopping=stopping, teacher=teacher
    )
    record = TrainingRecord(
        config=config,
        data_fingerprint=data.fingerprint,
        run_key=run_key(config, data),
        steps=tuned.steps,
        seconds=tuned.seconds,
        resumed_from_step=tuned.resumed_from_step,
        precision=tuned.precision,
        processes=tuned.processes,
        git_commit=git_commit(),
        mlflow_run_id=run_id,
        distilled_from={"layers": count_layers(str(teacher)), "checkpoint": model_identity(str(teacher))}
        if teacher
        else None,
    )
    return tuned.checkpoint, record


def _fine_tuned_teacher(
    config: TrainingConfig,
    data: Dataset,
    folder: Path,
    progress: Progress,
    stopping: "Callable[[], bool]",
) -> Path:
    """Fine-tune the model whole, for its student; a run that goes on does not do so again.

    SageMaker restores each file on its own, so that it is done does not say that all of it is there.
    """
    from training.finetune.distributed import share_folder
    from training.finetune.tune import BEST, fine_tune

    teacher, done = folder / BEST, folder / _TAUGHT
    if not all((teacher / name).is_file() for name in _TEACHER_FILES):
        shutil.rmtree(teacher, ignore_errors=True)  # the rest of it would pass for the best weights
    elif config.resume and done.exists():
        return teacher
    whole = config.model_copy(update={"student_layers": None})
    fine_tune(whole, data, folder, progress=progress, stopping=stopping)
    share_folder(teacher)
    done.touch()
    return teacher


def publish(
    checkpoint: Path,
    record: TrainingRecord,
    data: Dataset,
    artifacts: Path,
    *,
    progress: Progress = silent,
    log: "Log" = lambda _metrics, _step: None,
) -> "Artifact":
    """Choose the truncation, export, pass the gate and publish in `artifacts`.

    Raises DataError if `data` is not what the checkpoint was trained on, GateError when no quantized form
    is good enough; nothing is published then.
    """
    record.check(data)
    from training.export.export import build_artifact
    from training.finetune.model import load_classifier
    from training.finetune.truncation import better, compare

    config = record.config
    classifier = load_classifier(str(checkpoint), data.labels)
    measured = compare(classifier, data.validation, config.max_length, progress=progress)
    log({"validation": measured}, record.steps)
    return build_artifact(
        checkpoint,
        data.validation,
        data.test,
        max_length=config.max_length,
        truncation=better(measured) if config.truncation == "auto" else config.truncation,
        labels=data.labels,
        artifacts=artifacts,
        card_fields=record.card_fields(data) | {"truncation_metrics": measured},
        progress=progress,
    )


def evaluate_artifact(artifact: "Artifact", folder: Path, log: "Log", progress: Progress = silent) -> Path:
    """Measure what was published beyond its accuracy; returns the page about it, in `folder`."""
    from training.evaluation.evaluate import evaluate
    from training.evaluation.page import PAGE, write_page
    from training.evaluation.served import ServedModel

    progress("Evaluating the published model")
    found = evaluate(ServedModel(artifact, progress))
    log({"evaluation": found.metrics()}, 0)
    return write_page(found, folder / PAGE)


def run_key(config: TrainingConfig, data: Dataset | None = None) -> str:
    """Return what identifies the result of a run: recipe, data, libraries and the code that shapes it.

    Reads the data unless it is given, which takes a second for the embedded reviews.
    """
    data = data or prepare(config)
    this = Path(__file__)
    code = hashlib.sha256(this.read_bytes() + code_digest(this.parent, _SHAPED_BY).encode())
    identity = {
        "recipe": config.recipe()
        | {"data": data.fingerprint, "model": model_identity(config.model)}
        | ({"teacher": model_identity(config.teacher)} if config.teacher else {}),
        "code": code.hexdigest(),
        "libraries": {name: version(name) for name in _LIBRARIES},
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def current_artifact(config: TrainingConfig) -> "Artifact | None":
    """Return a published artifact that `run` would make again, champion or candidate; else None."""
    key = run_key(config)
    for path in sorted((config.artifacts / "models").glob("[!.]*/model.json"), reverse=True):
        try:
            card = json.loads(path.read_text())
        except (OSError, ValueError):
            continue
        if card.get("training", {}).get("run_key") == key:
            from training.export.artifact import Artifact

            return Artifact(folder=path.parent.resolve(), card=card)
    return None


def model_identity(name: str) -> str:
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


def summary(data: Dataset) -> str:
    """Describe the rows in one line, without a word of them."""
    sizes = ", ".join(f"{size:,} {part}" for part, size in data.sizes.items())
    dropped = ", ".join(f"{count:,} {reason.replace('_', ' ')}" for reason, count in data.dropped.items())
    return f"{data.name}: {sizes} rows; left out: {dropped or 'none'}"


def recorded_run(folder: Path) -> str | None:
    """Return the MLflow run that was noted in `folder`, so that a resumed run goes on under its id."""
    file = folder / _RUN_FILE
    return file.read_text() if file.exists() else None


def record_run(folder: Path, run_id: str) -> None:
    """Note the MLflow run in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _RUN_FILE).write_text(run_id)
