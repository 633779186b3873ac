"""A version receives traffic only if it is healthy, fast and predicts the same as at export."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sentiment.deployments import deployment_id_of
from sqlalchemy import Engine

from functions.api.model.artifact import Artifact
from functions.api.model.classifier import Classifier, Prediction
from functions.release_check import handler as release_check
from functions.release_check.invocation import (
    API_SECONDS,
    ATTEMPTS,
    REGISTRAR_SECONDS,
    Deadline,
    lambda_client,
)
from functions.release_check.settings import settings
from functions.release_check.verdict import percentile
from tests.api.driver import Api
from tests.fixtures.lambda_service import IMAGE, app_spec
from tests.release_check.conftest import EVENTS, HOOK, Context, Inverted, Release, champions, served


def test_a_good_version_is_accepted_and_recorded(
    release: Release, database: Engine, artifact: Artifact
) -> None:
    assert release.hook() == "Succeeded"
    (row,) = champions(database)
    assert row.id == deployment_id_of("eu-central-1", "api", "2")
    assert (row.deployment_type, row.function_version, row.is_active) == ("champion", "2", True)
    assert row.model_version == artifact.card.model_version
    assert row.image_digest == IMAGE.partition("@")[2]
    assert row.deployed_by == "a test"
    assert set(row.metrics) >= {"fp32", "int8"}


def test_its_predictions_refer_to_that_row(
    release: Release,
    database: Engine,
    make_api: Callable[..., Api],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release.hook()
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "api")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_VERSION", "2")
    api = make_api()
    api.predict("A wonderful film.")
    (record,) = api.queued
    assert record.deployment_id == champions(database)[0].id


def test_checking_stores_no_prediction(release: Release, make_api: Callable[..., Api]) -> None:
    api = make_api()
    release.deploy(served(api))
    release.hook()
    assert api.queued == []
    assert api.unsent == {}
    assert 'sentiment_predictions_total{sentiment="positive"} 0.0' in api.get("/metrics").text


def test_the_version_is_codedeploys_target_and_not_that_of_the_stack(
    release: Release, database: Engine, make_api: Callable[..., Api]
) -> None:
    release.deploy(served(make_api()), "1")
    release.service.deployments[HOOK["DeploymentId"]]["revision"] = {
        "revisionType": "AppSpecContent",
        "appSpecContent": {"content": "Resources:\n  - api:\n      Properties:\n        TargetVersion: 1\n"},
    }
    assert release.hook() == "Succeeded"
    assert [row.function_version for row in champions(database)] == ["1"]


class Slow(Classifier):
    """Takes 50 ms longer per text."""

    def _classify(self, text: str) -> Prediction:
        time.sleep(0.05)
        return super()._classify(text)


class Undecided(Classifier):
    """Predicts the opposite label in every other run."""

    runs = 0

    def run(self, *inputs: Any) -> Any:
        self.runs += 1
        logits, *others = super().run(*inputs)
        return [logits * (-1) ** (self.runs // 40), *others]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (Inverted, r"\d+ of \d+ golden reviews are predicted differently than at export"),
        (Undecided, "predictions for the same review differ between runs"),
        (Slow, "p95 of the golden reviews is .* ms, over the budget of 30 ms"),
    ],
)
def test_a_wrong_or_slow_version_is_rejected(
    release: Release,
    database: Engine,
    make_api: Callable[..., Api],
    artifact: Artifact,
    monkeypatch: pytest.MonkeyPatch,
    reasons: Callable[[], str],
    kind: type[Classifier],
    reason: str,
) -> None:
    if kind is Slow:
        monkeypatch.setenv("P95_BUDGET_MS", "30")
        settings.cache_clear()
    release.deploy(served(make_api(kind(artifact, threads=1, cache_entries=0))))
    assert release.hook() == "Failed"
    assert any(json.loads(line).get("reason") for line in reasons().splitlines())
    assert re.search(reason, reasons())
    assert champions(database) == []


def test_a_version_without_its_queue_is_rejected(
    release: Release, make_api: Callable[..., Api], reasons: Callable[[], str]
) -> None:
    api = make_api()
    api.break_queue()
    release.deploy(served(api))
    assert release.hook() == "Failed"
    assert "its health is degraded: queue failing" in reasons()


def test_an_artifact_without_golden_reviews_is_rejected_with_a_fix(
    release: Release, make_api: Callable[..., Api], reasons: Callable[[], str]
) -> None:
    api = make_api()
    release.deploy(served(Api(replace(api.dependencies, golden=None), api.aws)))
    assert release.hook() == "Failed"
    assert "the artifact has no golden reviews" in reasons()
    assert "export it again" in reasons()


def failing(event: dict[str, Any]) -> Any:
    raise RuntimeError("model.onnx cannot be loaded")


def test_a_version_that_does_not_start_is_rejected_with_its_error(
    release: Release, reasons: Callable[[], str]
) -> None:
    release.deploy(failing)
    assert release.hook() == "Failed"
    assert "api version 2 failed: RuntimeError: model.onnx cannot be loaded" in reasons()


def test_responses_of_two_models_are_rejected(
    release: Release, make_api: Callable[..., Api], reasons: Callable[[], str]
) -> None:
    good = served(make_api())

    def mixed(event: dict[str, Any]) -> Any:
        answer = good(event)
        return answer | {"model_version": "another"} if "action" in event else answer

    release.deploy(mixed)
    assert release.hook() == "Failed"
    assert "more than one model" in reasons()


@pytest.mark.parametrize("what", ["the registrar", "the version", "what CodeDeploy says"])
def test_every_failure_is_reported_to_codedeploy(release: Release, what: str) -> None:
    if what == "the registrar":
        release.service.functions["registrar"] = failing
    elif what == "the version":
        del release.service.functions["api:2"]
    else:
        release.service.deployments[HOOK["DeploymentId"]]["revision"] = {"string": {"content": "{}"}}
    assert release.hook() == "Failed"


def test_missing_settings_are_reported_as_a_failed_verdict(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REGISTRAR_FUNCTION_NAME")
    settings.cache_clear()
    assert release.hook() == "Failed"


def test_the_verdict_is_reported_in_time(release: Release, reasons: Callable[[], str]) -> None:
    started = time.monotonic()
    assert release.hook(Context(remaining_ms=0)) == "Failed"
    assert time.monotonic() - started < 5
    assert "no time left" in reasons()


def test_a_registrar_that_times_out_leaves_time_for_the_verdict(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    seconds = 600  # the function's timeout
    last_call = Deadline.within(seconds * 1000).at - time.monotonic()
    assert last_call + ATTEMPTS * REGISTRAR_SECONDS < seconds
    assert lambda_client(REGISTRAR_SECONDS).meta.config.read_timeout == REGISTRAR_SECONDS > API_SECONDS


def test_the_percentile_is_the_nearest_rank() -> None:
    assert percentile([5.0], 0.95) == 5
    assert percentile([float(number) for number in range(1, 65)], 0.95) == 61
    assert percentile([3.0, 1.0, 2.0], 0.0) == 1


@pytest.mark.parametrize("target", ["2", "17"])
def test_the_target_is_read_from_json_and_yaml(target: str) -> None:
    for content in (app_spec(target), f"TargetVersion: {target}\n", f'TargetVersion: "{target}"'):
        found = release_check.TARGET.search(content)
        assert found and found[1] == target


def test_imports_only_what_its_group_installs() -> None:
    foreign = ["sqlalchemy", "pg8000", "fastapi", "mangum", "onnxruntime", "numpy", "pandas", "alembic"]
    code = f"import sys, functions.release_check.handler; print([m for m in {foreign} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_every_event_has_an_example() -> None:
    assert {path.stem for path in Path(EVENTS).glob("release_check_*.json")} == {
        "release_check_before_traffic",
        "release_check_deployed",
        "release_check_given_up",
    }
