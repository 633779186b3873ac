"""Find good parameters with Optuna: tree-structured Parzen estimators propose, a pruner stops early.

The test rows are never looked at, so that what a run later reports about them stays true. How a trial is
judged is `training.search.trials`, and who tries what `training.search.study`; nothing is published here.
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
from training.pipeline import model_identity, record_run, recorded_run
from training.progress import Progress, silent
from training.search.report import write_report
from training.search.space import BEST, Space, described, fingerprint, holds, search_space
from training.search.study import SharedStudy, own_threads
from training.search.trials import Judge, Plan, try_proposals
from training.tracking import track

FRONT_LOSS = 0.005  # of accuracy, for which the fastest of the Pareto front is taken
_POLL_SECONDS = 0.5


def study_folder(config: TrainingConfig, data: Dataset, plan: Plan) -> Path:
    """Return the folder of the one study of this search: run again, it goes on there."""
    return config.artifacts / "searches" / _identity(config, data, _space(config, plan), plan)


def search(
    config: TrainingConfig,
    data: Dataset,
    folder: Path,
    plan: Plan,
    *,
    progress: Progress = silent,
    stopping: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Bring the study in `folder` to `plan.trials` trials and write the best parameters there as best.json.

    A study that was stopped goes on, a trial that was cut short from its last checkpoint; how often one
    worker was stopped does not change what it proposes. Raises ConfigError when the study is of another
    space, recipe, model or data set.
    """
    space = _space(config, plan)
    with disk_full_guard(folder), closing(_open(config, data, folder, plan)) as shared:
        shared.begin_with(_starting_point(config, space))
        with track(config, data.fingerprint, run_id=recorded_run(folder), name="search") as tracked:
            record_run(folder, tracked.id)
        if plan.workers > 1:
            _run_workers(config, folder, plan, shared, progress, stopping)
        # Alone, or to try what workers left that died.
        with track(config, data.fingerprint, run_id=tracked.id) as tracked:
            try_proposals(Judge(config, data, folder, tracked, stopping, shared, plan), space, progress)
            best = _best(shared, config, data, plan, tracked.id)
            tracked.log_metrics({"search": {"value": best["value"]}})
            _write(folder / BEST, json.dumps(best, indent=2) + "\n")
            tracked.log_files([folder / BEST, *write_report(shared.study, folder, best)], "study")
    return best


def _run_workers(
    config: TrainingConfig,
    folder: Path,
    plan: Plan,
    shared: SharedStudy,
    progress: Progress,
    stopping: Callable[[], bool],
) -> None:
    """Let several processes, each on its share of the cores, work on the study until nothing is left."""
    spawn = multiprocessing.get_context("spawn")
    threads, before = own_threads(plan.workers), os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = threads
    try:
        workers = [
            spawn.Process(target=_be_worker, args=(config, folder, plan, number))
            for number in range(1, plan.workers + 1)
        ]
        for worker in workers:
            worker.start()
    finally:
        del os.environ["OMP_NUM_THREADS"]
        if before is not None:
            os.environ["OMP_NUM_THREADS"] = before
    told = False
    while any(worker.is_alive() for worker in workers):
        if stopping() and not told:
            told = True
            for worker in workers:
                worker.terminate()
        progress(f"Trials, {plan.workers} workers", shared.finished(), plan.trials)
        time.sleep(_POLL_SECONDS)
    if told:
        raise Interrupted("told to stop; the trials saved themselves, ready to go on")
    for worker in workers:
        if worker.exitcode:
            progress(f"A worker ended with code {worker.exitcode}; its trial is tried again")


def _be_worker(config: TrainingConfig, folder: Path, plan: Plan, number: int) -> None:
    """Be one of several processes that try proposals of the study in `folder`."""
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda signal_number, _: told.append(signal_number))
    data = prepare(config)
    with (
        closing(_open(config, data, folder, plan)) as shared,
        track(config, data.fingerprint, run_id=recorded_run(folder)) as tracked,
    ):
        judge = Judge(config, data, folder, tracked, lambda: bool(told), shared, plan)
        try_proposals(judge, _space(config, plan), silent, number)


def _open(config: TrainingConfig, data: Dataset, folder: Path, plan: Plan) -> SharedStudy:
    identity = _identity(config, data, _space(config, plan), plan)
    return SharedStudy(folder, identity, storage=plan.storage, pruner=plan.pruner, pareto=plan.pareto)


def _space(config: TrainingConfig, plan: Plan) -> Space:
    space = search_space(count_layers(config.model), config.max_length, plan.fixed, pareto=plan.pareto)
    if not space:
        raise ConfigError("every parameter is given, so there is nothing to search; leave some out")
    return space


def _starting_point(config: TrainingConfig, space: Space) -> dict[str, Any]:
    """Return what the run would do without a search, as far as it lies in the space: that is to be beaten."""
    values = {name: getattr(config, name) for name in space}
    values |= {"train_max_length": config.training_length} if "train_max_length" in space else {}
    return {name: value for name, value in values.items() if holds(space[name], value)}


def _identity(config: TrainingConfig, data: Dataset, space: Space, plan: Plan) -> str:
    recipe = {name: value for name, value in config.recipe().items() if name not in space}
    return fingerprint(
        {
            "space": described(space),
            "recipe": recipe | {"data": data.fingerprint, "model": model_identity(config.model)},
            "pruner": plan.pruner,
            "pareto": plan.pareto,
        }
    )


def _best(
    shared: SharedStudy, config: TrainingConfig, data: Dataset, plan: Plan, run_id: str
) -> dict[str, Any]:
    counts, space = shared.counts(), _space(config, plan)
    if not counts["complete"]:
        raise ModelError("no trial of the search came to its end; look at the log for why")
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
        "search_space": fingerprint(described(space)),
        "space": described(space),
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
    """Write a file whole or not at all."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_text(content)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def fixed_by(options: Mapping[str, Any]) -> Collection[str]:
    """Return the options that were given, which a search leaves alone."""
    return {name for name, value in options.items() if value is not None}
