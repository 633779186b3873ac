"""Several workers share one study: the number of trials is exact, and none is lost when a worker dies."""

import multiprocessing
import multiprocessing.spawn
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from tests.fixtures.postgres import empty_database, postgres
from tests.training.search.test_search import FIXED, config, find, finished_parameters
from training.config import TrainingConfig
from training.data.prepare import prepare
from training.errors import ConfigError, Interrupted
from training.search.search import search
from training.search.space import search_space
from training.search.study import SharedStudy
from training.search.trials import SearchPlan

__all__ = ["config", "empty_database", "postgres"]

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning",
    "ignore::FutureWarning",
    "ignore:mtime may not be reliable",
    "ignore::optuna.exceptions.ExperimentalWarning",
)

SPACE = search_space(2, 64)


def opened(folder: Path, storage: str | None = None) -> SharedStudy:
    return SharedStudy(folder, "identity", storage=storage, pruner="median", pareto=False)


def claim_all(folder: Path, storage: str | None, worker: int, trials: int) -> None:
    """Run trials that take a moment."""
    shared = opened(folder, storage)
    while trial := shared.claim(SPACE, trials, seed=0, worker=worker):
        time.sleep(0.02)
        shared.finish(trial, TrialState.COMPLETE, [0.5])


def url(empty_database: Any) -> str:
    password = os.environ["DATABASE_PASSWORD"]
    return str(empty_database.url.set(password=password).render_as_string(hide_password=False))


@pytest.mark.parametrize("place", ["journal", "sqlite", "postgres"])
def test_the_number_of_trials_is_exact(place: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    storage = {
        "journal": lambda: None,
        "sqlite": lambda: f"sqlite:///{tmp_path / 'study.db'}",
        "postgres": lambda: url(request.getfixturevalue("empty_database")),
    }[place]()
    study = opened(tmp_path, storage)
    study.enqueue_first({"epochs": 2})
    # They are forked from a server process that has imported this module.
    forked = multiprocessing.get_context("forkserver")
    forked.set_forkserver_preload([__name__])
    workers = [
        forked.Process(target=claim_all, args=(tmp_path, storage, number, 12)) for number in range(1, 4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert study.finished() == 12
    assert study.counts() == {"complete": 12, "pruned": 0, "fail": 0}
    tried = [
        tuple(sorted(trial.params.items()))
        for trial in study.study.trials
        if trial.state == TrialState.COMPLETE
    ]
    assert len(set(tried)) == 12, "no two workers run the same"
    study.close()


CLAIM = """
import os, sys, time
from pathlib import Path
from tests.training.search.test_shared_study import SPACE, opened
trial = opened(Path(sys.argv[1])).claim(SPACE, 3, seed=0)
print(trial.number, os.getpid(), flush=True)
time.sleep(600)
"""


def test_a_trial_is_retried_only_when_its_worker_is_dead(tmp_path: Path, warm_python: Path) -> None:
    with subprocess.Popen(
        [warm_python, "-W", "ignore", "-c", CLAIM, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        number, pid = map(int, other.stdout.readline().split())
        assert number == 0
        shared = opened(tmp_path)
        for expected in (1, 2):
            trial = shared.claim(SPACE, 3, seed=0, worker=1)
            assert trial is not None and trial.number == expected
            shared.finish(trial, TrialState.COMPLETE, [0.5])
        assert shared.claim(SPACE, 3, seed=0, worker=1) is None, "the third is running"
        os.kill(pid, signal.SIGKILL)
    again = shared.claim(SPACE, 3, seed=0, worker=1)
    assert again is not None and again.params == shared.study.trials[0].params
    shared.finish(again, TrialState.COMPLETE, [0.5])
    assert shared.claim(SPACE, 3, seed=0, worker=1) is None
    assert (shared.finished(), shared.counts()) == (3, {"complete": 3, "pruned": 0, "fail": 1})


def test_a_trial_on_another_machine_is_retried_after_the_heartbeat_timeout(
    tmp_path: Path, empty_database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere, here = (opened(tmp_path, url(empty_database)) for _ in range(2))
    with monkeypatch.context() as there:
        there.setattr("socket.gethostname", lambda: "algo-2")
        trial = elsewhere.claim(SPACE, 1, seed=0)
    assert trial is not None
    assert here.claim(SPACE, 1, seed=0) is None
    trial.set_user_attr("heartbeat", time.time() - 3600)
    again = here.claim(SPACE, 1, seed=0)
    assert again is not None and again.params == trial.params
    elsewhere.finish(trial, TrialState.COMPLETE, [0.9])
    assert here.study.trials[0].state == TrialState.FAIL, "a worker considered dead cannot finish it"
    elsewhere.close()
    here.close()


@pytest.fixture
def warm_workers(warm_python: Path) -> Iterator[None]:
    """Spawn processes that have the libraries loaded already."""
    before = multiprocessing.spawn.get_executable()
    multiprocessing.set_executable(str(warm_python))
    yield
    multiprocessing.set_executable(before)


@pytest.mark.usefixtures("warm_workers")
def test_several_workers_run_each_trial_once(config: TrainingConfig, tmp_path: Path) -> None:
    best = find(config, tmp_path, 4, workers=2)
    assert best["trials"] == {"complete": 4, "pruned": 0, "fail": 0}
    assert len(finished_parameters(tmp_path)) == 4
    assert (tmp_path / "best.json").exists()


@pytest.mark.usefixtures("warm_workers")
def test_workers_are_stopped_and_their_trials_continue(config: TrainingConfig, tmp_path: Path) -> None:
    def running() -> bool:
        journal = tmp_path / "study.journal"
        return journal.exists() and '"learning_rate"' in journal.read_text() and bool(begun(tmp_path))

    with pytest.raises(Interrupted, match="ready to continue"):
        find(config, tmp_path, 4, workers=2, should_stop=running)
    best = find(config, tmp_path, 4)
    assert best["trials"]["complete"] == len(finished_parameters(tmp_path)) == 4


def begun(folder: Path) -> list[optuna.trial.FrozenTrial]:
    backend = optuna.storages.journal.JournalFileBackend(str(folder / "study.journal"))
    storage = optuna.storages.JournalStorage(backend)
    return optuna.load_study(study_name="study", storage=storage).get_trials(states=(TrialState.RUNNING,))


@pytest.mark.parametrize(
    "storage", ["postgresql://nobody:secret@127.0.0.1:9/none", "sqlite:////gone/study.db", "nonsense"]
)
def test_an_unreachable_storage_is_a_one_line_error_without_its_password(
    config: TrainingConfig, tmp_path: Path, storage: str
) -> None:
    with pytest.raises(ConfigError, match="cannot be opened") as refused:
        search(config, prepare(config), tmp_path, SearchPlan(trials=1, fixed=FIXED, storage=storage))
    assert "secret" not in str(refused.value) and "\n" not in str(refused.value)


def test_a_damaged_journal_is_a_one_line_error(config: TrainingConfig, tmp_path: Path) -> None:
    (tmp_path / "study.journal").write_text("not a journal\n" * 3)
    with pytest.raises(ConfigError, match=r"study\.journal cannot be opened"):
        find(config, tmp_path, 1)
