"""The model of `make demo` becomes the champion if it is not worse than the current one."""

import shutil
from pathlib import Path

import pytest

from local.demo.quick_model import promote_unless_worse
from tests.fixtures.artifacts import publish
from training.export.artifact import champion_of, link_champion
from training.progress import silent
from training.registry.registry import promotions

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's use of SQLAlchemy


@pytest.fixture
def artifacts(
    tmp_path: Path, tiny_artifact: Path, experiment_store: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Return a folder in which `old` is the champion."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copy(experiment_store, tmp_path / "mlflow.db")
    publish(tmp_path, tiny_artifact, "old")
    link_champion(tmp_path, "old")
    return tmp_path


def test_a_model_that_is_as_good_is_promoted(artifacts: Path, tiny_artifact: Path) -> None:
    publish(artifacts, tiny_artifact, "new")
    assert promote_unless_worse(artifacts, "new", silent) is None
    assert champion_of(artifacts) == "new"
    assert [decision.why for decision in promotions(artifacts)] == ["make demo"]


def test_a_model_that_is_worse_or_has_other_labels_is_not_promoted(
    artifacts: Path, tiny_artifact: Path
) -> None:
    publish(artifacts, tiny_artifact, "wrong", wrong=True)
    publish(artifacts, tiny_artifact, "other", labels=["bad", "good"])
    worse = promote_unless_worse(artifacts, "wrong", silent)
    assert worse is not None and "points worse than old, which remains the champion" in worse
    other = promote_unless_worse(artifacts, "other", silent)
    assert other is not None and other.startswith("old remains the champion: ")
    assert (champion_of(artifacts), promotions(artifacts)) == ("old", [])
