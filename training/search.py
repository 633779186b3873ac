"""Find good parameters with Optuna: tree-structured Parzen estimators propose, the median rule stops early.

Every trial is a fine-tuning that the validation rows judge, read as they will be served. The test rows are
never looked at, so that what a run later reports about them stays true. Nothing is exported here.
"""

import json
import math
import shutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import torch
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import Trial, TrialState

from training.config import TrainingConfig
from training.data import Dataset
from training.errors import ConfigError, ModelError
from training.model import count_layers, load_classifier
from training.pipeline import model_identity, record_run, recorded_run
from training.progress import Progress, silent
from training.space import BEST, Space, described, fingerprint, holds, search_space
from training.track import Run, track
from training.truncation import better, compare
from training.tune import fine_tune

STUDY = "study.journal"
_EVALUATIONS_PER_EPOCH = 4  # at the same share of the rows in every trial, so that trials can be compared
_UNPRUNED_TRIALS = 5
_RETRY = "retry of"


def study_folder(config: TrainingConfig, data: Dataset, fixed: Collection[str]) -> Path:
    """Return the folder of the one study of this search: run again, it goes on there."""
    space = search_space(count_layers(config.model), fixed)
    return config.artifacts / "searches" / _identity(config, data, space)


def search(
    config: TrainingConfig,
    data: Dataset,
    folder: Path,
    *,
    trials: int,
    fixed: Collection[str],
    progress: Progress = silent,
    stopping: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Bring the study in `folder` to `trials` trials and write the best parameters there as best.json.

    `fixed` are options of `config` that are not to be varied. A study that was stopped goes on, a trial that
    was cut short from its last checkpoint; how often it was stopped does not change what is proposed.
    Raises ConfigError when the study in `folder` is of another space, recipe, model or data set.
    """
    space = search_space(count_layers(config.model), fixed)
    if not space:
        raise ConfigError("every parameter is given, so there is nothing to search; leave some out")
    study = _open_study(folder, _identity(config, data, space))
    _retry_interrupted(study)
    if not study.trials:
        study.enqueue_trial(_starting_point(config, space))
    with track(config, data.fingerprint, run_id=recorded_run(folder), name="search") as tracked:
        record_run(folder, tracked.id)
        search = _Search(config, data, folder, tracked, stopping)
        for number in range(_finished(study), trials):
            progress(f"Trial {number + 1} of {trials}")
            # A sampler that was seeded once would repeat its first draws after a restart.
            study.sampler = optuna.samplers.TPESampler(
                seed=config.seed + number, n_startup_trials=_UNPRUNED_TRIALS
            )
            trial = study.ask(dict(space))
            state, value = search.judge(trial)
            study.tell(trial, value, state)
            progress(f"Trial {number + 1} of {trials}: {_outcome(state, value)} with {_shown(trial.params)}")
        best = _best(study, config, data, space, tracked.id)
        tracked.log_metrics({"search": {"value": best["value"]}})
    (folder / BEST).write_text(json.dumps(best, indent=2) + "\n")
    return best


@dataclass(frozen=True)
class _Search:
    """What all trials of a search share."""

    config: TrainingConfig
    data: Dataset
    folder: Path
    tracked: Run
    stopping: Callable[[], bool]

    def judge(self, trial: Trial) -> tuple[TrialState, float | None]:
        """Fine-tune with the trial's parameters and measure the best weights; Interrupted passes through."""
        parameters = trial.params
        config = self.config.model_copy(update={**parameters, "resume": True})
        rows_per_evaluation = len(self.data.train) / _EVALUATIONS_PER_EPOCH
        every = math.ceil(rows_per_evaluation / (config.batch_size * config.accumulation))
        config = config.model_copy(update={"evaluate_every": every})
        # Named by what it trains, so that a trial that is tried again finds its checkpoint.
        folder = self.folder / "trials" / fingerprint(parameters)
        try:
            with self.tracked.child(f"trial {trial.number}", parameters) as run:
                tuned = fine_tune(config, self.data, folder, log=_Pruning(trial, run), stopping=self.stopping)
                classifier = load_classifier(str(tuned.checkpoint), self.data.labels)
                measured = compare(classifier, self.data.validation, config.max_length)
                way = better(measured) if config.truncation == "auto" else config.truncation
                run.log_metrics({"validation": measured}, tuned.steps)
        except optuna.TrialPruned:
            state, value = TrialState.PRUNED, None
        except torch.OutOfMemoryError:
            state, value = TrialState.FAIL, None  # this batch is too large here; others are not
        else:
            state, value = TrialState.COMPLETE, float(measured[way]["accuracy"])
        shutil.rmtree(folder, ignore_errors=True)
        return state, value


class _Pruning:
    """A log of metrics that ends a trial whose evaluations lag behind those of the others."""

    def __init__(self, trial: Trial, run: Run) -> None:
        self.trial = trial
        self.run = run
        self.reported = 0

    def __call__(self, metrics: dict[str, Any], step: int) -> None:
        self.run.log_metrics(metrics, step)
        if "eval_accuracy" not in metrics:
            return
        reached = round(metrics["epoch"] * _EVALUATIONS_PER_EPOCH)
        if reached <= self.reported:
            return
        self.reported = reached
        self.trial.report(metrics["eval_accuracy"], reached)
        if self.trial.should_prune():
            raise optuna.TrialPruned


def _open_study(folder: Path, identity: str) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    folder.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(folder / STUDY))),
        study_name="study",
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_UNPRUNED_TRIALS),
        load_if_exists=True,
    )
    if study.user_attrs.get("identity", identity) != identity:
        raise ConfigError(
            f"the study in {folder} is of another search space, recipe, model or data set; "
            "give another folder, or the options it was started with"
        )
    study.set_user_attr("identity", identity)
    return study


def _retry_interrupted(study: optuna.Study) -> None:
    """Queue the trials again that nobody has ended: their process was killed or told to stop."""
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.enqueue_trial(trial.params, user_attrs={_RETRY: trial.number})
        study.tell(trial.number, state=TrialState.FAIL)


def _finished(study: optuna.Study) -> int:
    """Count the proposals that came to an end; a trial and its retries are one."""
    trials = study.get_trials(deepcopy=False)
    retries = sum(_RETRY in trial.user_attrs for trial in trials)
    return sum(trial.state.is_finished() for trial in trials) - retries


def _starting_point(config: TrainingConfig, space: Space) -> dict[str, Any]:
    """Return what the run would do without a search, as far as it lies in the space: that is to be beaten."""
    values = {name: getattr(config, name) for name in space}
    return {name: value for name, value in values.items() if holds(space[name], value)}


def _identity(config: TrainingConfig, data: Dataset, space: Space) -> str:
    recipe = {name: value for name, value in config.recipe().items() if name not in space}
    return fingerprint(
        {
            "space": described(space),
            "recipe": recipe | {"data": data.fingerprint, "model": model_identity(config.model)},
        }
    )


def _best(
    study: optuna.Study, config: TrainingConfig, data: Dataset, space: Space, run_id: str
) -> dict[str, Any]:
    counts = {
        state.name.lower(): len(study.get_trials(deepcopy=False, states=(state,)))
        for state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
    }
    if not counts["complete"]:
        raise ModelError("no trial of the search came to its end; look at the log for why")
    best = study.best_trial
    return {
        "parameters": best.params,
        "value": best.value,
        "metric": "validation accuracy",
        "trial": best.number,
        "trials": counts,
        "search_space": fingerprint(described(space)),
        "space": described(space),
        "base_model": config.model,
        "data_fingerprint": data.fingerprint,
        "seed": config.seed,
        "mlflow_run_id": run_id,
    }


def _outcome(state: TrialState, value: float | None) -> str:
    return state.name.lower() if value is None else f"{value:.1%}"


def _shown(parameters: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in parameters.items())
