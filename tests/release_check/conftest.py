"""A release: versions of the real API and the real registrar, called with real botocore clients."""

import asyncio
import io
import json
import logging
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mangum import Mangum
from sentiment.database.models import ModelDeployment
from sentiment.logging import logger
from sentiment.notifications import sns
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

import functions.registrar.handler as registrar
from functions.api.app import create_app
from functions.api.model.classifier import Classifier
from functions.api.model.golden import check_release
from functions.release_check import handler as release_check
from functions.release_check.invocation import lambda_client
from functions.release_check.settings import settings
from tests.api.conftest import artifact, aws, classifier, make_api, no_metrics_left_over, variables
from tests.api.driver import Api
from tests.fixtures.lambda_service import LambdaService, app_spec, running_lambda_service
from tests.fixtures.postgres import database, migrated_template, postgres

__all__ = [
    "artifact",
    "aws",
    "classifier",
    "database",
    "make_api",
    "migrated_template",
    "no_metrics_left_over",
    "postgres",
    "variables",
]

EVENTS = Path(__file__).parents[2] / "events"
HOOK = json.loads((EVENTS / "release_check_before_traffic.json").read_text())
Handler = Callable[[dict[str, Any]], Any]


class Context:
    """The part of Lambda's context that the check uses."""

    def __init__(self, remaining_ms: int = 600_000) -> None:
        self.remaining_ms = remaining_ms

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms


def served(api: Api) -> Handler:
    """Handle events as functions/api/handler.py does, for an API created by a test."""
    answer = Mangum(create_app(api.dependencies), lifespan="off")

    def handle(event: dict[str, Any]) -> Any:
        if event.get("action") == "check_release":
            return check_release(api.dependencies.classifier, api.dependencies.golden)
        loop = asyncio.new_event_loop()  # Mangum only finds one in the main thread, where Lambda calls it
        asyncio.set_event_loop(loop)
        try:
            return answer(event, None)  # type: ignore[arg-type]
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    return handle


@dataclass
class Release:
    """CodeDeploy's deployment of version 2 after version 1."""

    service: LambdaService

    def deploy(self, version: Handler, number: str = "2") -> None:
        self.service.functions[f"api:{number}"] = version

    def hook(self, context: Context | None = None) -> str:
        """Call the hook and return the verdict reported to CodeDeploy."""
        release_check.handler(HOOK, context or Context())  # type: ignore[arg-type]
        (verdict,) = self.service.verdicts
        assert verdict["deploymentId"] == HOOK["DeploymentId"]
        assert verdict["lifecycleEventHookExecutionId"] == HOOK["LifecycleEventHookExecutionId"]
        return verdict["status"]


@pytest.fixture
def release(
    aws: SimpleNamespace, database: Engine, make_api: Callable[..., Api], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Release]:
    with running_lambda_service() as service:
        for name, value in {
            "AWS_ENDPOINT_URL_LAMBDA": service.url,
            "AWS_ENDPOINT_URL_CODEDEPLOY": service.url,
            "AWS_REGION": "eu-central-1",
            "API_FUNCTION_NAME": "api",
            "API_ALIAS": "live",
            "API_VERSION_ARN": "arn:aws:lambda:eu-central-1:123456789012:function:api:2",
            "REGISTRAR_FUNCTION_NAME": "registrar",
            "P95_BUDGET_MS": "10000",
            "WARM_UP_CALLS": "8",
            "DEPLOYED_BY": "a test",
            "ARTIFACT_BUCKET": f"artifacts-{uuid.uuid4()}",
            "ALERT_TOPIC_ARN": "arn:aws:sns:eu-central-1:123456789012:alerts",
        }.items():
            monkeypatch.setenv(name, value)
        aws.s3.create_bucket(
            Bucket=os.environ["ARTIFACT_BUCKET"],
            CreateBucketConfiguration={"LocationConstraint": "eu-central-1"},
        )
        caches = (settings, lambda_client, release_check.codedeploy, registrar.s3, sns)
        for cache in caches:
            cache.cache_clear()
        service.functions["registrar"] = lambda event: registrar.handler(event, None)  # type: ignore[arg-type]
        service.aliases["api:live"] = {"Name": "live", "FunctionVersion": "1", "AliasArn": "arn"}
        content = {"revisionType": "String", "string": {"content": app_spec(target="2")}}
        service.deployments[HOOK["DeploymentId"]] = {"status": "InProgress", "revision": content}
        release = Release(service)
        release.deploy(served(make_api()))
        yield release
        for cache in caches:
            cache.cache_clear()


DEPLOYED = json.loads((EVENTS / "release_check_deployed.json").read_text())


@pytest.fixture
def reasons() -> Iterator[Callable[[], str]]:
    """Everything the check logged, as one string."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logger("release_check").registered_formatter)
    logger("release_check").addHandler(handler)
    yield stream.getvalue
    logging.getLogger("release_check").removeHandler(handler)


def champions(database: Engine) -> list[ModelDeployment]:
    with Session(database, expire_on_commit=False) as session:
        query = select(ModelDeployment).order_by(ModelDeployment.deployed_at)
        return list(session.scalars(query))


def deployed(release: Release) -> dict[str, Any]:
    release.service.aliases["api:live"]["FunctionVersion"] = "2"
    return release_check.handler(DEPLOYED, Context())  # type: ignore[arg-type]


class Inverted(Classifier):
    """Predicts the opposite label."""

    def run(self, *inputs: Any) -> Any:
        logits, *others = super().run(*inputs)
        return [-logits, *others]
