"""A study that several workers share: it hands out trials, and retries those whose worker died.

Workers of one machine share a journal file, those of several machines a database (`--storage`). The number of
trials is exact, and interrupted trials are retried. `training.search.trials` runs and scores the trials.
"""

import os
import socket
import time
from pathlib import Path
from typing import Any

import optuna
import psutil
from optuna.exceptions import OptunaError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from training.errors import ConfigError
from training.search.space import Space

JOURNAL = "study.journal"
UNPRUNED_TRIALS = 5
EVALUATIONS_PER_EPOCH = 4  # after the same share of the rows in every trial, so that trials are comparable
PRUNERS = ("median", "hyperband")
# For a worker on another machine: longer than any evaluation, during which there is no heartbeat.
HEARTBEAT_TIMEOUT_SECONDS = 1800.0
_HEARTBEAT_SECONDS = 30.0
_RETRY, _SURPLUS, _OWNER, _HEARTBEAT = "retry of", "surplus", "owner", "heartbeat"


# Errors of a missing or invalid storage; pg8000 raises AttributeError without a password.
_UNUSABLE = (OptunaError, SQLAlchemyError, OSError, KeyError, ValueError, AttributeError)


class SharedStudy:
    """A study that this process and maybe others have opened."""

    def __init__(
        self, folder: Path, identity: str, *, storage: str | None, pruner: str, pareto: bool
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        folder.mkdir(parents=True, exist_ok=True)
        self._many_machines = storage is not None and not storage.startswith("sqlite")
        try:
            self._storage = _storage(folder, storage)
            self.study = optuna.create_study(
                storage=self._storage,
                study_name=identity if storage else "study",
                directions=["maximize", "minimize"] if pareto else ["maximize"],
                pruner=_pruner(pruner),
                load_if_exists=True,
            )
            known = self.study.user_attrs.get("identity", identity)
            self.study.set_user_attr("identity", identity)
        except _UNUSABLE as error:
            place = _without_password(storage) if storage else folder / JOURNAL
            raise ConfigError(
                f"the study in {place} cannot be opened ({' '.join(str(error).split())[:200]}); fix it, or "
                "give another --study folder or --storage"
            ) from error
        if known != identity:
            self.study.set_user_attr("identity", known)
            raise ConfigError(
                f"the study in {folder} is of another search space, recipe, model or data set; "
                "give another folder, or the options it was started with"
            )

    def close(self) -> None:
        """Close the connections to the database, if there is one."""
        if isinstance(self._storage, RDBStorage):
            self._storage.remove_session()
            self._storage.engine.dispose()

    def enqueue_first(self, parameters: dict[str, Any]) -> None:
        """Enqueue these parameters as the first trial of a new study."""
        if not self.study.get_trials(deepcopy=False):
            self.study.enqueue_trial(parameters, skip_if_exists=True)

    def claim(self, space: Space, trials: int, *, seed: int, worker: int = 0) -> Trial | None:
        """Return a trial for this process to run; None if `trials` trials have run or are running."""
        self._retry_interrupted()
        first_attempts = self._first_attempts()
        if len(first_attempts) >= trials and not self._retries_waiting():
            return None
        # A fixed seed would repeat the first samples after a restart, and in every worker. The constant liar
        # makes workers avoid parameters that others are trying.
        self.study.sampler = optuna.samplers.TPESampler(
            seed=seed + len(first_attempts) + 10_007 * worker,
            n_startup_trials=UNPRUNED_TRIALS,
            constant_liar=worker > 0,
        )
        trial = self.study.ask(dict(space))
        before = [one for one in self._first_attempts() if one.number < trial.number]
        if _RETRY not in trial.user_attrs and len(before) >= trials:  # another worker was faster
            trial.set_user_attr(_SURPLUS, True)
            self.study.tell(trial, state=TrialState.FAIL)
            return None
        trial.set_user_attr(_OWNER, _this_process())
        self.heartbeat(trial)
        return trial

    def heartbeat(self, trial: Trial) -> None:
        """Record that the trial is running; may be called at every step."""
        now = time.time()
        if now - trial.user_attrs.get(_HEARTBEAT, 0.0) > _HEARTBEAT_SECONDS:
            trial.set_user_attr(_HEARTBEAT, now)

    def release(self, trial: Trial) -> None:
        """Give up an unfinished trial, so that it is retried at once."""
        trial.set_user_attr(_OWNER, None)

    def finish(self, trial: Trial, state: TrialState, values: list[float] | None) -> None:
        """Record the result of the trial, unless it was considered dead and is being retried."""
        self.study.tell(trial, values, state, skip_if_finished=True)

    def counts(self) -> dict[str, int]:
        """Return the number of trials by final state."""
        trials = [one for one in self.study.get_trials(deepcopy=False) if _SURPLUS not in one.user_attrs]
        return {
            state.name.lower(): sum(one.state == state for one in trials)
            for state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
        }

    def finished(self) -> int:
        """Return the number of finished trials; a trial and its retries count once."""
        trials = self.study.get_trials(deepcopy=False)
        retries = sum(_RETRY in one.user_attrs for one in trials)
        ended = sum(one.state.is_finished() and _SURPLUS not in one.user_attrs for one in trials)
        return ended - retries

    def _first_attempts(self) -> list[FrozenTrial]:
        return [
            one
            for one in self.study.get_trials(deepcopy=False)
            if one.state != TrialState.WAITING and not {_RETRY, _SURPLUS} & one.user_attrs.keys()
        ]

    def _retries_waiting(self) -> bool:
        waiting = self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        return any(_RETRY in one.user_attrs for one in waiting)

    def _retry_interrupted(self) -> None:
        """Enqueue again the trials whose process was killed or stopped."""
        for trial in self.study.get_trials(states=(TrialState.RUNNING,)):
            if self._is_running(trial):
                continue
            try:
                self.study.tell(trial.number, state=TrialState.FAIL)
            except ValueError:  # another worker was faster
                continue
            self.study.enqueue_trial(trial.params, user_attrs={_RETRY: trial.number})

    def _is_running(self, trial: FrozenTrial) -> bool:
        owner = trial.user_attrs.get(_OWNER)
        if owner is None:
            # Released, or just being claimed.
            started = trial.datetime_start.timestamp() if trial.datetime_start else 0.0
            return _OWNER not in trial.user_attrs and time.time() - started < _HEARTBEAT_SECONDS
        if owner["host"] == socket.gethostname():
            return _is_alive(owner["pid"], owner["born"])
        seconds_since_heartbeat = time.time() - trial.user_attrs.get(_HEARTBEAT, 0.0)
        return self._many_machines and seconds_since_heartbeat < HEARTBEAT_TIMEOUT_SECONDS


def _this_process() -> dict[str, Any]:
    process = psutil.Process()
    return {"host": socket.gethostname(), "pid": process.pid, "born": process.create_time()}


def _is_alive(pid: int, born: float) -> bool:
    """Return whether the process is still running; its id may have been reused."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - born) < 1
    except psutil.NoSuchProcess:
        return False


def _storage(folder: Path, url: str | None) -> BaseStorage:
    if url is None:
        return JournalStorage(JournalFileBackend(str(folder / JOURNAL)))
    return RDBStorage(url.replace("postgresql://", "postgresql+pg8000://", 1))


def _pruner(name: str) -> optuna.pruners.BasePruner:
    if name == "hyperband":
        return optuna.pruners.HyperbandPruner(min_resource=1, max_resource="auto")
    return optuna.pruners.MedianPruner(n_startup_trials=UNPRUNED_TRIALS)


def _without_password(url: str) -> str:
    scheme, at, rest = url.rpartition("@")
    return f"{scheme.partition('://')[0]}://…@{rest}" if at else url


def threads_per_worker(workers: int) -> str:
    """Return the number of threads for each worker on this machine."""
    return str(max(1, (os.cpu_count() or 1) // workers))
