"""`python -m training.sagemaker.job train`: one training job, in a SageMaker training container.

The hyperparameter `job` says which: `search` writes best.json, `fine_tune` a checkpoint with run.json,
`export` the artifact, and the page of its evaluation into output.tar.gz. Each is a stage of
`training.pipeline`, or `training.search.search`, in SageMaker's folders.

When SageMaker takes a spot machine back it sends SIGTERM two minutes before: search and fine_tune then save
into the checkpoint folder and end with code 143; started again with that folder they go on. Exit codes are
those of `training.errors`, and why a job failed stands in output/failure, which becomes its FailureReason.

MLflow records where MLFLOW_TRACKING_URI says. Without it search and fine_tune record in a SQLite file that
ends in the job's output.tar.gz, and export, whose figures all stand in the card, records nothing.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType

from training.config import TrainingConfig
from training.data.prepare import prepare
from training.data.rows import Dataset
from training.errors import ConfigError, Interrupted, ModelError, TrainingError, disk_full_guard
from training.pipeline import (
    evaluate_artifact,
    publish,
    record_run,
    recorded_run,
    run_key,
    summary,
    tune_checkpoint,
)
from training.progress import LineProgress, Progress, print_metrics, silent
from training.record import read_record
from training.sagemaker.container import Container, Request


class Termination:
    """SIGTERM as something to ask about between two steps."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self) -> bool:
        """Tell whether the signal has come."""
        return self.asked

    def receive(self, number: int, frame: FrameType | None) -> None:
        """Remember the signal."""
        self.asked = True

    @contextmanager
    def immediate(self) -> Iterator[None]:
        """Let the signal end what happens inside at once: it is short and has nothing to save."""

        def stop(number: int, frame: FrameType | None) -> None:
            raise Interrupted("told to stop; nothing was written")

        before = signal.signal(signal.SIGTERM, stop)
        try:
            if self.asked:
                raise Interrupted("told to stop; nothing was written")
            yield
        finally:
            signal.signal(signal.SIGTERM, before)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m training.sagemaker.job", description=__doc__)
    parser.add_argument("command", choices=["train"], help="what SageMaker passes")
    parser.add_argument("--root", type=Path, default=Path("/opt/ml"), help="where the folders are (/opt/ml)")
    root: Path = parser.parse_args(arguments).root
    container = Container(root)
    stopping = Termination()
    signal.signal(signal.SIGTERM, stopping.receive)
    try:
        with disk_full_guard(root):
            return _run(container, stopping)
    except Interrupted as error:
        print(error, flush=True)
        if "RANK" in os.environ:
            container.fail(error)  # for the process that started this one, which may not have been told
        return error.exit_code
    except Exception as error:
        container.fail(error)
        if isinstance(error, TrainingError):
            print(f"error: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            return error.exit_code
        traceback.print_exc()
        return TrainingError.exit_code


def _run(container: Container, stopping: Termination) -> int:
    request = container.request()
    machines = container.machines()
    if request.job != "fine_tune":
        if len(machines.hosts) > 1:
            raise ConfigError(f"job {request.job} runs on one instance, not {len(machines.hosts)}")
        with tempfile.TemporaryDirectory() as scratch:
            job = _search if request.job == "search" else _export
            job(container, request, Path(scratch), stopping)
        return 0

    import torch

    from training.finetune.distributed import Cluster, disconnect, launch, rank

    cluster = Cluster(
        machines.hosts, machines.current, machines.network_interface, max(1, torch.cuda.device_count())
    )
    if cluster.size > 1 and rank() is None:
        code = launch(cluster, "training.sagemaker.job", ["train", "--root", str(container.root)], stopping)
        if stopping() or container.failed_with() == Interrupted.exit_code:
            container.forget_failure()
            raise Interrupted("told to stop; saved, ready to go on")
        if code and container.failed_with() is None:
            raise ModelError(f"a process of the fine-tuning ended unheard (code {code}); look at the log")
        return container.failed_with() or code
    with tempfile.TemporaryDirectory() as scratch:
        _fine_tune(container, request, Path(scratch), stopping, leads=rank() in (None, 0))
    disconnect()
    return 0


def _search(container: Container, request: Request, scratch: Path, stopping: Termination) -> None:
    progress = LineProgress()
    data = _read(request.config, progress)
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")  # else the Trainer would split each batch over all
    from training.search.search import search
    from training.search.trials import Plan

    folder = container.checkpoints / "study"
    plan = Plan(**request.search, fixed=request.given)
    search(request.config, data, folder, plan, progress=progress, stopping=stopping)
    for file in folder.iterdir():
        if file.is_file():
            shutil.copyfile(file, container.model / file.name)


def _fine_tune(
    container: Container, request: Request, scratch: Path, stopping: Termination, *, leads: bool
) -> None:
    config, progress = request.config, LineProgress() if leads else silent
    found = container.output_of("search", scratch)
    if found is not None:
        from training.search.space import read_best

        parameters = read_best(found, config.model)
        better = {name: value for name, value in parameters.items() if name not in request.given}
        config = config.model_copy(update=better)
    data = _read(config, progress)
    folder = container.checkpoints / run_key(config, data)
    if not leads:
        tune_checkpoint(config, data, folder, run_id=None, stopping=stopping)
        return
    from training.tracking import track

    with track(config, data.fingerprint, run_id=recorded_run(folder)) as tracked:
        record_run(folder, tracked.id)

        def log(metrics: dict[str, float], step: int) -> None:
            print_metrics(metrics, step)
            tracked.log_metrics(metrics, step)

        checkpoint, record = tune_checkpoint(
            config, data, folder, run_id=tracked.id, progress=progress, log=log, stopping=stopping
        )
    shutil.copytree(checkpoint, container.model / "checkpoint", dirs_exist_ok=True)
    record.write(container.model)


def _export(container: Container, request: Request, scratch: Path, stopping: Termination) -> None:
    progress = LineProgress()
    trained = container.output_of("checkpoint", scratch)
    if trained is None:
        raise ModelError("the channel checkpoint is missing; give it the output of a fine-tuning job")
    record = read_record(trained)
    # What was trained is what counts, and only where its data lies now is the container's.
    places = {"data": request.config.data, "extra_data": request.config.extra_data}
    config = record.config.model_copy(update=places)
    record = record.model_copy(update={"config": config})
    with stopping.immediate():
        data = _read(config, progress)
        from training.tracking import CANDIDATE, track

        known, recorded = record.mlflow_run_id, "MLFLOW_TRACKING_URI" in os.environ
        recording = track(config, data.fingerprint, run_id=known) if recorded else nullcontext()
        with recording as run:
            log = run.log_metrics if run else print_metrics
            artifact = publish(
                trained / "checkpoint", record, data, scratch / "artifacts", progress=progress, log=log
            )
            page = evaluate_artifact(artifact, container.kept, log, progress)
            if run:
                run.log_files([page], "evaluation")
                run.register(artifact.folder, artifact.card, alias=CANDIDATE)
        shutil.copytree(artifact.folder, container.model, dirs_exist_ok=True)
    print(f"published {artifact.card['model_version']}", flush=True)


def _read(config: TrainingConfig, progress: Progress) -> Dataset:
    progress("Reading the data")
    data = prepare(config)
    progress(f"Read {summary(data)}")
    return data


if __name__ == "__main__":
    sys.exit(main())
