"""Search parameters with Optuna: tree-structured Parzen estimators, with a pruner.

The test rows are never used, so that they stay valid for the report of a run. `training.search.trials` runs
and scores the trials, and `training.search.study` shares them between workers. Nothing is published here.
"""

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial

from training.config import TrainingConfig
from training.data.prepare import prepare
from training.data.rows import Dataset
from training.errors import ConfigError, Interrupted, ModelError, disk_full_guard
from training.finetune.model import count_layers
from training.pipeline import read_run_id, write_run_id
from training.progress import Progress, silent
from training.run_key import model_identity
from training.search.report import write_report
from training.search.space import BEST, Space, fingerprint, is_within, search_space, space_to_json
from training.search.study import SharedStudy, threads_per_worker
from training.search.trials import Objective, SearchPlan, run_trials
from training.tracking import tracked_run

FRONT_LOSS = 0.005  # of accuracy, within which the fastest of the Pareto front is chosen
_POLL_SECONDS = 0.5


def study_folder(config: TrainingConfig, data: Dataset, plan: SearchPlan) -> Path:
    """Return the folder of the study of this search; running it again continues there."""
    return config.artifacts / "searches" / _identity(config, data, _space(config, plan), plan)


def search(
    config: TrainingConfig,
    data: Dataset,
    folder: Path,
    plan: SearchPlan,
    *,
    progress: Progress = silent,
    should_stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Run the study in `folder` up to `plan.trials` trials, and write the best parameters to its best.json.

    A stopped study continues, and an interrupted trial resumes from its last checkpoint; with one worker,
    interruptions do not change what is sampled. Raises ConfigError when the study has another space, recipe,
    model or data set.
    """
    space = _space(config, plan)
    with disk_full_guard(folder), closing(_open(config, data, folder, plan)) as shared:
        shared.enqueue_first(_starting_point(config, space))
        with tracked_run(config, data.fingerprint, run_id=read_run_id(folder), name="search") as tracked:
            write_run_id(folder, tracked.id)
        if plan.workers > 1:
            _run_workers(config, folder, plan, shared, progress, should_stop)
        # Without workers, or to retry the trials of workers that died.
        with tracked_run(config, data.fingerprint, run_id=tracked.id) as tracked:
            run_trials(Objective(config, data, folder, tracked, should_stop, shared, plan), space, progress)
            best = _best(shared, config, data, plan, tracked.id)
            tracked.log_metrics({"search": {"value": best["value"]}})
            _write(folder / BEST, json.dumps(best, indent=2) + "\n")
            tracked.log_files([folder / BEST, *write_report(shared.study, folder, best)], "study")
    return best


def _run_workers(
    config: TrainingConfig,
    folder: Path,
    plan: SearchPlan,
    shared: SharedStudy,
    progress: Progress,
    should_stop: Callable[[], bool],
) -> None:
    """Run the study in several processes, each with its share of the cores."""
    spawn = multiprocessing.get_context("spawn")
    threads, before = threads_per_worker(plan.workers), os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = threads
    try:
        workers = [
            spawn.Process(target=_run_worker, args=(config, folder, plan, number))
            for number in range(1, plan.workers + 1)
        ]
        for worker in workers:
            worker.start()
    finally:
        del os.environ["OMP_NUM_THREADS"]
        if before is not None:
            os.environ["OMP_NUM_THREADS"] = before
    terminated = False
    while any(worker.is_alive() for worker in workers):
        if should_stop() and not terminated:
            terminated = True
            for worker in workers:
                worker.terminate()
        progress(f"Trials, {plan.workers} workers", shared.finished(), plan.trials)
        time.sleep(_POLL_SECONDS)
    if terminated:
        raise Interrupted("stop requested; the trials are saved, ready to continue")
    for worker in workers:
        if worker.exitcode:
            progress(f"A worker ended with code {worker.exitcode}; its trial is retried")


def _run_worker(config: TrainingConfig, folder: Path, plan: SearchPlan, number: int) -> None:
    """Run trials of the study in `folder`, as one of several processes."""
    signals: list[int] = []
    signal.signal(signal.SIGTERM, lambda signal_number, _: signals.append(signal_number))
    data = prepare(config)
    with (
        closing(_open(config, data, folder, plan)) as shared,
        tracked_run(config, data.fingerprint, run_id=read_run_id(folder)) as tracked,
    ):
        objective = Objective(config, data, folder, tracked, lambda: bool(signals), shared, plan)
        run_trials(objective, _space(config, plan), silent, number)


def _open(config: TrainingConfig, data: Dataset, folder: Path, plan: SearchPlan) -> SharedStudy:
    identity = _identity(config, data, _space(config, plan), plan)
    return SharedStudy(folder, identity, storage=plan.storage, pruner=plan.pruner, pareto=plan.pareto)


def _space(config: TrainingConfig, plan: SearchPlan) -> Space:
    space = search_space(count_layers(config.model), config.max_length, plan.fixed, pareto=plan.pareto)
    if not space:
        raise ConfigError("every parameter is set, so there is nothing to search; leave some out")
    return space


def _starting_point(config: TrainingConfig, space: Space) -> dict[str, Any]:
    """Return the parameters of a run without a search, as far as they are in the space: the baseline."""
    values = {name: getattr(config, name) for name in space}
    values |= {"train_max_length": config.training_length} if "train_max_length" in space else {}
    return {name: value for name, value in values.items() if is_within(space[name], value)}


def _identity(config: TrainingConfig, data: Dataset, space: Space, plan: SearchPlan) -> str:
    recipe = {name: value for name, value in config.recipe().items() if name not in space}
    return fingerprint(
        {
            "space": space_to_json(space),
            "recipe": recipe | {"data": data.fingerprint, "model": model_identity(config.model)},
            "pruner": plan.pruner,
            "pareto": plan.pareto,
        }
    )


def _best(
    shared: SharedStudy, config: TrainingConfig, data: Dataset, plan: SearchPlan, run_id: str
) -> dict[str, Any]:
    counts, space = shared.counts(), _space(config, plan)
    if not counts["complete"]:
        raise ModelError("no trial of the search completed; see the log")
    front = sorted(shared.study.best_trials, key=lambda trial: (-trial.values[0], trial.number))
    best = front[0]
    if plan.pareto:
        near = [trial for trial in front if trial.values[0] >= front[0].values[0] - FRONT_LOSS]
        best = min(near, key=lambda trial: trial.values[1])
    found: dict[str, Any] = {
        "parameters": best.params,
        "value": best.values[0],
        "metric": "validation accuracy",
        "trial": best.number,
        "trials": counts,
        "search_space": fingerprint(space_to_json(space)),
        "space": space_to_json(space),
        "max_length": config.max_length,
        "pareto": plan.pareto,
        "pruner": plan.pruner,
        "base_model": config.model,
        "data_fingerprint": data.fingerprint,
        "seed": config.seed,
        "mlflow_run_id": run_id,
    }
    if plan.pareto:
        rule = f"the fastest within {100 * FRONT_LOSS:g} points of the most accurate"
        found |= {"chosen_by": rule, "front": [_point(trial) for trial in front]}
    return found


def _point(trial: FrozenTrial) -> dict[str, Any]:
    accuracy, latency_ms = trial.values
    return {
        "trial": trial.number,
        "accuracy": accuracy,
        "latency_ms": latency_ms,
        "parameters": trial.params,
    }


def _write(path: Path, content: str) -> None:
    """Write a file atomically."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_text(content)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def given_options(options: Mapping[str, Any]) -> Collection[str]:
    """Return the names of the options that are set, which a search does not vary."""
    return {name for name, value in options.items() if value is not None}
