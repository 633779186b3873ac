import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from sentiment.exceptions import InvocationError
from sentiment.invocation import MAX_ERROR_CHARACTERS, invoke
from sentiment.registrar import Registrar

from tests.fixtures.lambda_service import LambdaService, running_lambda_service

Call = Callable[..., Any]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in [
        ("ACCESS_KEY_ID", "x"),
        ("SECRET_ACCESS_KEY", "x"),
        ("DEFAULT_REGION", "eu-central-1"),
    ]:
        monkeypatch.setenv(f"AWS_{name}", value)
    with running_lambda_service() as service:
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", service.url)
        yield service


def test_a_response_is_returned_as_it_is(service: LambdaService) -> None:
    service.functions["echo:3"] = lambda event: [event]
    assert invoke(boto3.client("lambda"), "echo", {"a": 1}, version="3") == [{"a": 1}]


def test_a_failure_is_one_line_with_type_and_message(service: LambdaService) -> None:
    def fail(event: dict[str, Any]) -> Any:
        raise RuntimeError("line one\nline two " + "x" * 1000)

    service.functions["fails"] = fail
    with pytest.raises(
        InvocationError, match=r"^fails failed: RuntimeError: line one line two x+$"
    ) as failed:
        invoke(boto3.client("lambda"), "fails", {})
    assert len(str(failed.value)) == len("fails failed: ") + MAX_ERROR_CHARACTERS


def test_the_registrar_gets_the_events_of_its_examples() -> None:
    sent: list[Any] = []

    def call(event: Any) -> Any:
        sent.append(json.loads(json.dumps(event)))
        return {"deployments": [], "deployment": {}, "active": None, "previous": {"id": "1"}}

    registrar = Registrar(call)
    assert registrar.list_deployments() == []
    assert registrar.previous_deployment("4", to=2) == (None, {"id": "1"})
    registrar.record_rollback({"function_version": "3"})
    assert sent == [
        {"action": "list_deployments"},
        {"action": "previous_deployment", "function_version": "4", "to": "2"},
        {"action": "record_rollback", "deployment": {"function_version": "3"}},
    ]
