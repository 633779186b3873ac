"""`python -m training.sagemaker.job train`: one training job, in a SageMaker training container.

The hyperparameter `job` selects it: `search` writes best.json, `fine_tune` a checkpoint with run.json, and
`export` the artifact, with the evaluation page in output.tar.gz. Each is a stage of `training.pipeline`, or
`training.search.search`, in SageMaker's folders.

SageMaker sends SIGTERM two minutes before it reclaims a spot machine: search and fine_tune then save into the
checkpoint folder and exit with 143; restarted with that folder, they continue. Exit codes are those of
`training.errors`. The reason of a failure is written to output/failure, which becomes the job's
FailureReason.

Runs are tracked in MLFLOW_TRACKING_URI. Without it, search and fine_tune use a SQLite file in output.tar.gz,
and export, whose metrics are all in the card, tracks nothing.
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
    read_run_id,
    summary,
    tune_checkpoint,
    write_run_id,
)
from training.progress import LineProgress, Progress, print_metrics, silent
from training.record import read_record
from training.run_key import run_key
from training.sagemaker.container import Container, Request


class Termination:
    """The flag of a received SIGTERM, to check between steps."""

    def __init__(self) -> None:
        self.requested = False

    def __call__(self) -> bool:
        """Return whether SIGTERM was received."""
        return self.requested

    def receive(self, number: int, frame: FrameType | None) -> None:
        """Set the flag."""
        self.requested = True

    @contextmanager
    def immediate(self) -> Iterator[None]:
        """Let SIGTERM interrupt the body at once; for short work with nothing to save."""

        def stop(number: int, frame: FrameType | None) -> None:
            raise Interrupted("stop requested; nothing was written")

        before = signal.signal(signal.SIGTERM, stop)
        try:
            if self.requested:
                raise Interrupted("stop requested; nothing was written")
            yield
        finally:
            signal.signal(signal.SIGTERM, before)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m training.sagemaker.job", description=__doc__)
    parser.add_argument("command", choices=["train"], help="the argument that SageMaker passes")
    parser.add_argument(
        "--root", type=Path, default=Path("/opt/ml"), help="folder of the container (/opt/ml)"
    )
    root: Path = parser.parse_args(arguments).root
    container = Container(root)
    termination = Termination()
    signal.signal(signal.SIGTERM, termination.receive)
    try:
        with disk_full_guard(root):
            return _run(container, termination)
    except Interrupted as error:
        print(error, flush=True)
        if "RANK" in os.environ:
            container.write_failure(error)  # tells the parent process, which may not have got SIGTERM
        return error.exit_code
    except Exception as error:
        container.write_failure(error)
        if isinstance(error, TrainingError):
            print(f"error: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            return error.exit_code
        traceback.print_exc()
        return TrainingError.exit_code


def _run(container: Container, termination: Termination) -> int:
    request = container.request()
    machines = container.machines()
    if request.job != "fine_tune":
        if len(machines.hosts) > 1:
            raise ConfigError(f"job {request.job} runs on one instance, not {len(machines.hosts)}")
        with tempfile.TemporaryDirectory() as scratch:
            job = _search if request.job == "search" else _export
            job(container, request, Path(scratch), termination)
        return 0

    import torch

    from training.finetune.distributed import Cluster, disconnect, launch, rank

    cluster = Cluster(
        machines.hosts, machines.current, machines.network_interface, max(1, torch.cuda.device_count())
    )
    if cluster.size > 1 and rank() is None:
        code = launch(
            cluster, "training.sagemaker.job", ["train", "--root", str(container.root)], termination
        )
        if termination() or container.failure_exit_code() == Interrupted.exit_code:
            container.remove_failure()
            raise Interrupted("stop requested; saved, ready to continue")
        if code and container.failure_exit_code() is None:
            raise ModelError(
                f"a process of the fine-tuning ended without an error message (code {code}); see the log"
            )
        return container.failure_exit_code() or code
    with tempfile.TemporaryDirectory() as scratch:
        _fine_tune(container, request, Path(scratch), termination, is_main=rank() in (None, 0))
    disconnect()
    return 0


def _search(container: Container, request: Request, scratch: Path, termination: Termination) -> None:
    progress = LineProgress()
    data = _read(request.config, progress)
    os.environ.setdefault(
        "CUDA_VISIBLE_DEVICES", "0"
    )  # otherwise the Trainer would split each batch over all
    from training.search.search import search
    from training.search.trials import SearchPlan

    folder = container.checkpoints / "study"
    plan = SearchPlan(**request.search, fixed=request.given)
    search(request.config, data, folder, plan, progress=progress, should_stop=termination)
    for file in folder.iterdir():
        if file.is_file():
            shutil.copyfile(file, container.model / file.name)


def _fine_tune(
    container: Container, request: Request, scratch: Path, termination: Termination, *, is_main: bool
) -> None:
    config, progress = request.config, LineProgress() if is_main else silent
    found = container.output_of("search", scratch)
    if found is not None:
        from training.search.space import read_best

        parameters = read_best(found, config.model)
        searched = {name: value for name, value in parameters.items() if name not in request.given}
        config = config.model_copy(update=searched)
    data = _read(config, progress)
    folder = container.checkpoints / run_key(config, data)
    if not is_main:
        tune_checkpoint(config, data, folder, run_id=None, should_stop=termination)
        return
    from training.tracking import tracked_run

    with tracked_run(config, data.fingerprint, run_id=read_run_id(folder)) as tracked:
        write_run_id(folder, tracked.id)

        def log(metrics: dict[str, float], step: int) -> None:
            print_metrics(metrics, step)
            tracked.log_metrics(metrics, step)

        checkpoint, record = tune_checkpoint(
            config, data, folder, run_id=tracked.id, progress=progress, log=log, should_stop=termination
        )
    shutil.copytree(checkpoint, container.model / "checkpoint", dirs_exist_ok=True)
    record.write(container.model)


def _export(container: Container, request: Request, scratch: Path, termination: Termination) -> None:
    progress = LineProgress()
    trained = container.output_of("checkpoint", scratch)
    if trained is None:
        raise ModelError("the channel checkpoint is missing; give it the output of a fine-tuning job")
    record = read_record(trained)
    # The configuration is the recorded one; only the paths of the data are this container's.
    paths = {"data": request.config.data, "extra_data": request.config.extra_data}
    config = record.config.model_copy(update=paths)
    record = record.model_copy(update={"config": config})
    with termination.immediate():
        data = _read(config, progress)
        from training.tracking import CANDIDATE, tracked_run

        known, recorded = record.mlflow_run_id, "MLFLOW_TRACKING_URI" in os.environ
        recording = tracked_run(config, data.fingerprint, run_id=known) if recorded else nullcontext()
        with recording as run:
            log = run.log_metrics if run else print_metrics
            artifact = publish(
                trained / "checkpoint", record, data, scratch / "artifacts", progress=progress, log=log
            )
            page = evaluate_artifact(artifact, container.output, log, progress)
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
