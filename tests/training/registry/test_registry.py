"""There is one champion at any time, a ledger line per promotion, and matching aliases."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import mlflow
import pytest

from tests.fixtures.artifacts import publish
from training.config import MODEL_NAME, configure
from training.errors import ModelError, RegistryError
from training.export.artifact import champion_of, link_champion
from training.registry.registry import (
    LEDGER,
    last_promotion_of,
    newest_candidate,
    previous_champion,
    promote,
    promote_if_first,
    promotions,
)
from training.tracking import CANDIDATE, tracked_run

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's use of SQLAlchemy


@pytest.fixture
def artifacts(
    make_artifacts_folder: Callable[[str], Path], tiny_artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Return a folder in which `one` serves, and `two` and then `three` were published after it."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = make_artifacts_folder("artifacts")
    for day, version in enumerate(("one", "two", "three"), start=1):
        publish(folder, tiny_artifact, version, created_at=f"2026-11-0{day}T00:00:00+00:00")
    link_champion(folder, "one")
    return folder


def aliases(artifacts: Path) -> dict[str, str]:
    """Return the model version behind each alias."""
    store = f"sqlite:///{artifacts / 'mlflow.db'}"
    client = mlflow.MlflowClient(store, registry_uri=store)
    versions = {str(one.version): one.tags["model_version"] for one in client.search_model_versions()}
    return {
        alias: versions[str(version)]
        for alias, version in client.get_registered_model(MODEL_NAME).aliases.items()
    }


def register(artifacts: Path, version: str, alias: str = CANDIDATE) -> None:
    folder = artifacts / "models" / version
    with tracked_run(configure(artifacts=artifacts), "sha256:1") as run:
        run.register(folder, json.loads((folder / "model.json").read_text()), alias=alias)


def test_the_candidate_is_the_newest_version_that_never_served(artifacts: Path) -> None:
    assert newest_candidate(artifacts) == "three"
    promote(artifacts, "three", "promoted", by="ann")
    assert newest_candidate(artifacts) == "two"
    promote(artifacts, "two", "promoted", by="ann")
    with pytest.raises(ModelError, match="no candidate"):
        newest_candidate(artifacts)


def test_every_promotion_is_recorded_with_who_and_why(artifacts: Path) -> None:
    promote(artifacts, "two", "promoted", by="ann", comparison=COMPARISON)
    promote(artifacts, "one", "rolled_back", by="bob", why="wrong on negations")
    assert champion_of(artifacts) == "one"
    first, second = promotions(artifacts)
    assert (first.action, first.model_version, first.replaced, first.by) == ("promoted", "two", "one", "ann")
    assert first.reason == "+1.2% (95% interval -0.3% to +2.7%) against one on 1,010 rows"
    assert (second.action, second.reason, second.by) == ("rolled_back", "wrong on negations", "bob")
    assert last_promotion_of(artifacts, "one") == second
    assert last_promotion_of(artifacts, "three") is None


def test_the_previous_champion_is_the_replaced_one(artifacts: Path) -> None:
    assert previous_champion(artifacts) is None
    promote(artifacts, "two", "promoted", by="ann")
    promote(artifacts, "three", "promoted", by="ann")
    assert previous_champion(artifacts) == "two"
    promote(artifacts, "two", "rolled_back", by="ann", why="slow")
    assert previous_champion(artifacts) == "three"


def test_the_aliases_follow_a_promotion(artifacts: Path) -> None:
    register(artifacts, "one", alias="champion")
    register(artifacts, "two")
    assert aliases(artifacts) == {"champion": "one", "candidate": "two"}
    assert promote(artifacts, "two", "promoted", by="ann")
    assert aliases(artifacts) == {"champion": "two", "previous": "one"}
    register(artifacts, "three")
    promote(artifacts, "one", "rolled_back", by="ann", why="slow")
    assert aliases(artifacts) == {"champion": "one", "previous": "two", "candidate": "three"}


def test_a_registered_version_names_its_artifact(artifacts: Path) -> None:
    register(artifacts, "two")
    store = f"sqlite:///{artifacts / 'mlflow.db'}"
    client = mlflow.MlflowClient(store, registry_uri=store)
    tags = client.get_model_version_by_alias(MODEL_NAME, CANDIDATE).tags
    assert tags == {"model_version": "two", "artifact_uri": (artifacts / "models" / "two").as_uri()}


def test_an_unregistered_model_can_be_promoted(artifacts: Path) -> None:
    assert not promote(artifacts, "two", "promoted", by="ann")
    assert champion_of(artifacts) == "two"


def test_promoting_the_champion_records_nothing(artifacts: Path) -> None:
    promote(artifacts, "two", "promoted", by="ann")
    promote(artifacts, "two", "promoted", by="bob")
    assert [one.by for one in promotions(artifacts)] == ["ann"]


KILLED = """
import os, signal, sys
from pathlib import Path
from training.registry import registry
from training import tracking as track
def die(*_, **__): os.kill(os.getpid(), signal.SIGKILL)
track.set_aliases, registry.link_champion = {
    "aliases": (die, registry.link_champion), "link": (track.set_aliases, die)
}[sys.argv[2]]
registry.promote(Path(sys.argv[1]), "two", "promoted", by="ann")
"""


@pytest.mark.parametrize("place", ["aliases", "link"])
def test_a_killed_promotion_leaves_a_champion_and_can_be_repeated(
    artifacts: Path, place: str, warm_python: Path
) -> None:
    register(artifacts, "one", alias="champion")
    register(artifacts, "two")
    killed = subprocess.run(
        [warm_python, "-W", "ignore", "-c", KILLED, str(artifacts), place], check=False, env=os.environ
    )
    assert killed.returncode == -signal.SIGKILL
    assert champion_of(artifacts) == "one"
    assert "champion" in aliases(artifacts)
    promote(artifacts, "two", "promoted", by="ann")
    assert champion_of(artifacts) == "two"
    assert aliases(artifacts) == {"champion": "two", "previous": "one"}
    assert previous_champion(artifacts) == "one"


TWICE = """
import sys
from pathlib import Path
from training.registry import registry
registry.promote(Path(sys.argv[1]), sys.argv[2], "promoted", by="ann")
"""


def test_concurrent_promotions_are_serialized(artifacts: Path, warm_python: Path) -> None:
    command = [warm_python, "-W", "ignore", "-c", TWICE, str(artifacts)]
    both = [subprocess.Popen([*command, version]) for version in ("two", "three")]
    assert [one.wait() for one in both] == [0, 0]
    first, second = promotions(artifacts)
    assert (first.replaced, second.replaced) == ("one", first.model_version)
    assert champion_of(artifacts) == second.model_version


def test_only_the_first_model_serves_without_a_promotion(artifacts: Path) -> None:
    register(artifacts, "two")
    assert not promote_if_first(artifacts, "two")
    assert champion_of(artifacts) == "one"
    (artifacts / "model").unlink()
    assert promote_if_first(artifacts, "two")
    assert (champion_of(artifacts), promotions(artifacts)) == ("two", [])
    assert aliases(artifacts) == {"champion": "two"}


def test_a_missing_champion_is_none(artifacts: Path) -> None:
    shutil.rmtree(artifacts / "models" / "one")
    assert promote_if_first(artifacts, "two")
    assert champion_of(artifacts) == "two"


def test_an_unreachable_registry_is_an_error_before_anything_is_written(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(RegistryError, match=r"registry at http://127\.0\.0\.1:9 does not answer .* nothing"):
        promote(artifacts, "two", "promoted", by="ann")
    assert (champion_of(artifacts), promotions(artifacts)) == ("one", [])
    (artifacts / "model").unlink()
    with pytest.raises(RegistryError):
        promote_if_first(artifacts, "two")
    assert champion_of(artifacts) is None


def test_an_incomplete_line_is_skipped_and_not_extended(artifacts: Path) -> None:
    promote(artifacts, "two", "promoted", by="ann")
    with (artifacts / LEDGER).open("a") as ledger:
        ledger.write('{"action": "promo')
    promote(artifacts, "three", "promoted", by="ann")
    assert [one.model_version for one in promotions(artifacts)] == ["two", "three"]


COMPARISON = {"held_out": 1000, "feedback": 10, "difference": 0.012, "low": -0.003, "high": 0.027}
