"""The golden reviews: readable by clients, classified only by direct invocation of the function."""

import importlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from sentiment.deployments import deployment_id_of
from sentiment.exceptions import ModelError

from functions.api.model.artifact import Artifact
from functions.api.model.classifier import Classifier
from functions.api.model.golden import check_release, read_golden
from functions.api.settings import ApiSettings, settings
from tests.api.driver import EVENT, Api

EVENTS = Path(__file__).parents[3] / "events"
CHECK = json.loads((EVENTS / "golden_check.json").read_text())


@pytest.fixture
def function(
    variables: dict[str, str], env: Callable[[dict[str, str]], None], aws: SimpleNamespace
) -> ModuleType:
    env(variables)
    settings.cache_clear()
    module = importlib.import_module("functions.api.handler")
    settings.cache_clear()
    return module


def test_the_golden_reviews_have_the_predictions_of_both_graphs(api: Api, artifact: Artifact) -> None:
    answer = api.get("/model/golden").json
    assert answer["model_version"] == artifact.card.model_version
    assert answer["reviews"] == json.loads(artifact.golden or b"")["reviews"]
    assert {"text", "label", "fp32", "int8"} <= answer["reviews"][0].keys()


@pytest.mark.parametrize(("mode", "shown"), [("redacted", True), ("hashed", False)])
def test_the_privacy_mode_applies_to_their_texts(
    make_api: Callable[..., Api], mode: str, shown: bool
) -> None:
    api = make_api(privacy_mode=mode, input_hash_key="0f" * 32)
    texts = [review["text"] for review in api.get("/model/golden").json["reviews"]]
    assert texts
    assert all(isinstance(text, str) is shown for text in texts)


def test_an_older_artifact_without_golden_reviews_still_serves(api: Api) -> None:
    older = Api(replace(api.dependencies, golden=None), api.aws)
    response = older.get("/model/golden")
    assert (response.status, response.json["error"]["code"]) == (404, "not_found")
    assert older.predict("A wonderful film.").status == 200


def test_a_check_classifies_every_review_and_returns_no_text(
    classifier: Classifier, artifact: Artifact
) -> None:
    reviews = read_golden(artifact.golden)
    answer = check_release(classifier, artifact.golden)
    assert answer["model_version"] == artifact.card.model_version
    assert [review["decided"] for review in answer["reviews"]] == [
        review.int8.sentiment for review in reviews
    ]
    for checked, review in zip(answer["reviews"], reviews, strict=True):
        assert checked["confidence"] == pytest.approx(review.int8.confidence, abs=1e-4)
        assert checked["inference_time_ms"] > 0
        assert review.text not in json.dumps(answer)


def test_a_check_does_not_use_the_cache(artifact: Artifact) -> None:
    class Counted(Classifier):
        runs = 0

        def run(self, *inputs: Any) -> Any:
            self.runs += 1
            return super().run(*inputs)

    classifier = Counted(artifact, threads=1, cache_entries=8)
    text = read_golden(artifact.golden)[0].text
    before = classifier.runs
    for _ in range(2):
        classifier.compute(text)
    classifier.predict(text)
    classifier.compute(text)
    assert classifier.runs == before + 4


def test_a_direct_invocation_is_checked_and_stores_nothing(
    function: ModuleType, aws: SimpleNamespace, variables: dict[str, str]
) -> None:
    answer = function.handler(CHECK, None)
    assert answer["reviews"]
    attributes = aws.sqs.get_queue_attributes(
        QueueUrl=function.dependencies.outbox.queue_url, AttributeNames=["ApproximateNumberOfMessages"]
    )["Attributes"]
    assert attributes["ApproximateNumberOfMessages"] == "0"
    assert json.dumps(answer)  # as Lambda serializes it


def test_clients_of_the_http_api_cannot_request_a_check(function: ModuleType) -> None:
    for event in (EVENT | CHECK, EVENT | {"body": json.dumps(CHECK), "isBase64Encoded": False}):
        answer = function.handler(event, None)
        assert "reviews" not in answer
        assert answer["statusCode"] in (200, 422)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"the artifact has no golden\.json.*export it again"),
        (b"not json", r"golden\.json is not valid"),
        (b'{"reviews": []}', r"golden\.json is not valid: reviews"),
        (b'{"reviews": [{"text": "secret"}]}', r"golden\.json is not valid: reviews\.0\.label"),
    ],
)
def test_an_artifact_that_cannot_be_checked_is_an_error(
    classifier: Classifier, content: bytes | None, message: str
) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        check_release(classifier, content)
    assert "secret" not in str(caught.value)


def deployment_id(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], **changes: str) -> UUID | None:
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "sentiment-api")
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    lower = {name.lower(): value for name, value in variables.items()}
    return ApiSettings(_env_file=None, **lower).deployment_id


def test_a_published_version_knows_its_deployment_id(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    own = deployment_id(monkeypatch, variables, AWS_LAMBDA_FUNCTION_VERSION="12")
    assert own == deployment_id_of("eu-central-1", "sentiment-api", "12")


def test_a_configured_deployment_id_overrides_and_an_unpublished_version_has_none(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    given = "019ab1de-7c1f-7d3a-9c55-3f6d3e0a4b21"
    set_one = deployment_id(monkeypatch, variables, AWS_LAMBDA_FUNCTION_VERSION="12", DEPLOYMENT_ID=given)
    assert set_one == UUID(given)
    monkeypatch.delenv("DEPLOYMENT_ID")
    assert deployment_id(monkeypatch, variables, AWS_LAMBDA_FUNCTION_VERSION="$LATEST") is None
