"""Train a model from labeled texts and register it: data, fine-tuning, export, registry.

`run` does it all in one process. The stages exchange folders, so that each can be a job of its own:
`tune_checkpoint`, then `publish` with the record beside the checkpoint.
"""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from training.config import TrainingConfig
from training.data.prepare import prepare
from training.data.rows import Dataset
from training.data.wide_rows import wide_rows
from training.errors import disk_full_guard
from training.progress import Progress, silent
from training.record import TrainingRecord, git_commit
from training.run_key import model_identity, run_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from training.export.artifact import Artifact
    from training.finetune.callbacks import Log

_RUN_FILE = "mlflow_run_id"
_TEACHER_DONE = "done"  # beside a fully trained teacher; removed when another training begins
_TEACHER_FILES = ("config.json", "model.safetensors", "tokenizer.json")


def run(config: TrainingConfig, progress: Progress = silent) -> "Artifact":
    """Train, export, publish and register a model.

    The model is a candidate until `registry` promotes it. If there is no champion yet, it becomes champion as
    the last step: a run that fails earlier changes nothing that serves. `artifacts/runs/<run key>` holds the
    checkpoints, from which `config.resume` continues. Raises TrainingError; after a GateError nothing is
    published or registered.
    """
    progress("Reading the data")
    data = prepare(config)
    progress(f"Read {summary(data)}")
    folder = config.artifacts / "runs" / run_key(config, data)
    progress("Loading the libraries")
    # Imported here so that invalid data is reported within a second, before torch has loaded.
    from training.registry.registry import promote_if_first
    from training.tracking import CANDIDATE, tracked_run

    progress("Opening the experiment store")
    known = read_run_id(folder) if config.resume else None
    with disk_full_guard(config.artifacts), tracked_run(config, data.fingerprint, run_id=known) as tracked:
        write_run_id(folder, tracked.id)
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
        promote_if_first(config.artifacts, artifact.card["model_version"])
    return artifact


def tune_checkpoint(
    config: TrainingConfig,
    data: Dataset,
    folder: Path,
    *,
    run_id: str | None,
    progress: Progress = silent,
    log: "Log" = lambda _metrics, _step: None,
    should_stop: "Callable[[], bool]" = lambda: False,
) -> tuple[Path, TrainingRecord]:
    """Fine-tune in `folder`/checkpoints; return the best checkpoint and its record.

    Every process of a distributed run calls this; rank 0 writes. Once `should_stop` returns true, the run
    saves a checkpoint and raises Interrupted.
    """
    from training.finetune.distill import check_student
    from training.finetune.model import count_layers
    from training.finetune.tune import fine_tune

    if config.student_layers is not None:
        check_student(config.model, config.student_layers, data.labels, teacher=config.teacher)
    teacher = Path(config.teacher) if config.teacher else None
    if config.student_layers is not None and teacher is None:
        teacher = _fine_tuned_teacher(config, data, folder / "teacher", progress, should_stop)
    tuned = fine_tune(
        config,
        data,
        folder / "checkpoints",
        progress=progress,
        log=log,
        should_stop=should_stop,
        teacher=teacher,
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
    should_stop: "Callable[[], bool]",
) -> Path:
    """Fine-tune the whole model for its student; a resumed run does not repeat a finished fine-tuning.

    SageMaker restores files one by one, so the marker does not mean that all of them are there.
    """
    from training.finetune.distributed import broadcast_folder
    from training.finetune.tune import BEST, fine_tune

    teacher, done = folder / BEST, folder / _TEACHER_DONE
    if not all((teacher / name).is_file() for name in _TEACHER_FILES):
        shutil.rmtree(teacher, ignore_errors=True)  # an incomplete folder would pass for the best weights
    elif config.resume and done.exists():
        return teacher
    whole = config.model_copy(update={"student_layers": None})
    fine_tune(whole, data, folder, progress=progress, should_stop=should_stop)
    broadcast_folder(teacher)
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

    Raises DataError if the checkpoint was trained on other data, GateError if no quantized candidate is good
    enough; nothing is published then.
    """
    record.check_data(data)
    from training.export.export import build_artifact

    config = record.config
    artifact = build_artifact(
        checkpoint,
        data.validation,
        data.test,
        max_length=config.max_length,
        truncation=None if config.truncation == "auto" else config.truncation,
        labels=data.labels,
        artifacts=artifacts,
        card_fields=record.card_fields(data),
        wide_rows=wide_rows(data) if config.wide else None,
        progress=progress,
    )
    log({"validation": artifact.card["truncation_metrics"]}, record.steps)
    return artifact


def evaluate_artifact(artifact: "Artifact", folder: Path, log: "Log", progress: Progress = silent) -> Path:
    """Evaluate a published model and write the evaluation page in `folder`; return its path."""
    from training.evaluation.evaluate import evaluate
    from training.evaluation.page import PAGE, write_page
    from training.evaluation.served import ServedModel

    progress("Evaluating the published model")
    found = evaluate(ServedModel(artifact, progress))
    log({"evaluation": found.tracked_metrics()}, 0)
    return write_page(found, folder / PAGE)


def current_artifact(config: TrainingConfig) -> "Artifact | None":
    """Return the published artifact with the same run key, champion or candidate; None if there is none."""
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


def summary(data: Dataset) -> str:
    """Describe the data in one line, without quoting any text."""
    sizes = ", ".join(f"{size:,} {part}" for part, size in data.sizes.items())
    dropped = ", ".join(f"{count:,} {reason.replace('_', ' ')}" for reason, count in data.dropped.items())
    return f"{data.name}: {sizes} rows; dropped: {dropped or 'none'}"


def read_run_id(folder: Path) -> str | None:
    """Return the id of the MLflow run of `folder`, which a resumed run continues; None if there is none."""
    file = folder / _RUN_FILE
    return file.read_text() if file.exists() else None


def write_run_id(folder: Path, run_id: str) -> None:
    """Store the id of the MLflow run in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _RUN_FILE).write_text(run_id)
