"""One study that several workers share: who tries what, and what happens to a trial whose worker is gone.

A journal file serves the workers of one machine, a database (`--storage`) those of many. Exactly as many
proposals are tried as were asked for, and a trial that was cut short is tried again. What a trial is worth is
`training.search.search`.
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
EVALUATIONS_PER_EPOCH = 4  # at the same share of the rows in every trial, so that trials can be compared
PRUNERS = ("median", "hyperband")
# Of a machine that cannot be asked: longer than any evaluation, which says nothing while it runs.
SILENT_SECONDS = 1800.0
_SEEN_SECONDS = 30.0
_RETRY, _SURPLUS, _OWNER, _SEEN = "retry of", "surplus", "owner", "seen"


# What a store that is not there or not one answers; AttributeError is pg8000's of a missing password.
_UNUSABLE = (OptunaError, SQLAlchemyError, OSError, KeyError, ValueError, AttributeError)


class SharedStudy:
    """A study that this process has opened, perhaps one of many that did."""

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
                f"the study in {place} cannot be opened ({' '.join(str(error).split())[:200]}); mend it, or "
                "give another --study folder or --storage"
            ) from error
        if known != identity:
            self.study.set_user_attr("identity", known)
            raise ConfigError(
                f"the study in {folder} is of another search space, recipe, model or data set; "
                "give another folder, or the options it was started with"
            )

    def close(self) -> None:
        """Close the connections to a database; a journal has none."""
        if isinstance(self._storage, RDBStorage):
            self._storage.remove_session()
            self._storage.engine.dispose()

    def begin_with(self, parameters: dict[str, Any]) -> None:
        """Let these parameters be the first that are tried, if nothing was yet."""
        if not self.study.get_trials(deepcopy=False):
            self.study.enqueue_trial(parameters, skip_if_exists=True)

    def claim(self, space: Space, trials: int, *, seed: int, worker: int = 0) -> Trial | None:
        """Return a trial for this process to try; None when as many as `trials` are tried or being tried."""
        self._retry_interrupted()
        proposals = self._proposals()
        if len(proposals) >= trials and not self._retries_waiting():
            return None
        # A sampler that was seeded once would repeat its first draws after a restart, and workers with one
        # seed would draw alike; the liar makes them avoid what others are trying.
        self.study.sampler = optuna.samplers.TPESampler(
            seed=seed + len(proposals) + 10_007 * worker,
            n_startup_trials=UNPRUNED_TRIALS,
            constant_liar=worker > 0,
        )
        trial = self.study.ask(dict(space))
        before = [one for one in self._proposals() if one.number < trial.number]
        if _RETRY not in trial.user_attrs and len(before) >= trials:  # another worker was quicker
            trial.set_user_attr(_SURPLUS, True)
            self.study.tell(trial, state=TrialState.FAIL)
            return None
        trial.set_user_attr(_OWNER, _own_process())
        self.keep(trial)
        return trial

    def keep(self, trial: Trial) -> None:
        """Say that the trial is being worked on; may be called at every step."""
        now = time.time()
        if now - trial.user_attrs.get(_SEEN, 0.0) > _SEEN_SECONDS:
            trial.set_user_attr(_SEEN, now)

    def release(self, trial: Trial) -> None:
        """Give up a trial that is not finished, so that it can be tried again at once."""
        trial.set_user_attr(_OWNER, None)

    def finish(self, trial: Trial, state: TrialState, values: list[float] | None) -> None:
        """Write down how the trial ended, unless it was taken for dead and given to somebody else."""
        self.study.tell(trial, values, state, skip_if_finished=True)

    def counts(self) -> dict[str, int]:
        """Return how many trials ended in which way."""
        trials = [one for one in self.study.get_trials(deepcopy=False) if _SURPLUS not in one.user_attrs]
        return {
            state.name.lower(): sum(one.state == state for one in trials)
            for state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
        }

    def finished(self) -> int:
        """Return how many proposals came to an end; a trial and its retries are one."""
        trials = self.study.get_trials(deepcopy=False)
        retries = sum(_RETRY in one.user_attrs for one in trials)
        ended = sum(one.state.is_finished() and _SURPLUS not in one.user_attrs for one in trials)
        return ended - retries

    def _proposals(self) -> list[FrozenTrial]:
        return [
            one
            for one in self.study.get_trials(deepcopy=False)
            if one.state != TrialState.WAITING and not {_RETRY, _SURPLUS} & one.user_attrs.keys()
        ]

    def _retries_waiting(self) -> bool:
        waiting = self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        return any(_RETRY in one.user_attrs for one in waiting)

    def _retry_interrupted(self) -> None:
        """Queue the trials again that nobody is working on: their process was killed or told to stop."""
        for trial in self.study.get_trials(states=(TrialState.RUNNING,)):
            if self._is_worked_on(trial):
                continue
            try:
                self.study.tell(trial.number, state=TrialState.FAIL)
            except ValueError:  # another worker found it first
                continue
            self.study.enqueue_trial(trial.params, user_attrs={_RETRY: trial.number})

    def _is_worked_on(self, trial: FrozenTrial) -> bool:
        owner = trial.user_attrs.get(_OWNER)
        if owner is None:
            # Released, or claimed in this very moment.
            started = trial.datetime_start.timestamp() if trial.datetime_start else 0.0
            return _OWNER not in trial.user_attrs and time.time() - started < _SEEN_SECONDS
        if owner["host"] == socket.gethostname():
            return _lives(owner["pid"], owner["born"])
        silent = time.time() - trial.user_attrs.get(_SEEN, 0.0)
        return self._many_machines and silent < SILENT_SECONDS


def _own_process() -> dict[str, Any]:
    process = psutil.Process()
    return {"host": socket.gethostname(), "pid": process.pid, "born": process.create_time()}


def _lives(pid: int, born: float) -> bool:
    """Tell whether the process still runs; a later one may have got its number."""
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


def own_threads(workers: int) -> str:
    """Return how many threads each of the workers of this machine shall use."""
    return str(max(1, (os.cpu_count() or 1) // workers))
