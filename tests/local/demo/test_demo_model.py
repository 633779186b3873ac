"""The model that `make demo` trained serves if it is not worse than the one that does."""

import shutil
from pathlib import Path

import pytest

from local.demo.demo import promote_unless_worse
from tests.fixtures.artifacts import publish
from training.export.artifact import champion_of, point_at
from training.progress import silent
from training.registry.registry import promotions

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's use of SQLAlchemy


@pytest.fixture
def artifacts(
    tmp_path: Path, tiny_artifact: Path, experiment_store: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Return a folder in which `old` serves."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copy(experiment_store, tmp_path / "mlflow.db")
    publish(tmp_path, tiny_artifact, "old")
    point_at(tmp_path, "old")
    return tmp_path


def test_one_that_is_as_good_serves(artifacts: Path, tiny_artifact: Path) -> None:
    publish(artifacts, tiny_artifact, "new")
    assert promote_unless_worse(artifacts, "new", silent) is None
    assert champion_of(artifacts) == "new"
    assert [one.why for one in promotions(artifacts)] == ["make demo"]


def test_one_that_is_worse_or_of_another_task_does_not(artifacts: Path, tiny_artifact: Path) -> None:
    publish(artifacts, tiny_artifact, "wrong", wrong=True)
    publish(artifacts, tiny_artifact, "other", labels=["bad", "good"])
    worse = promote_unless_worse(artifacts, "wrong", silent)
    assert worse is not None and "points worse than old, which goes on serving" in worse
    other = promote_unless_worse(artifacts, "other", silent)
    assert other is not None and other.startswith("old goes on serving: ")
    assert (champion_of(artifacts), promotions(artifacts)) == ("old", [])
