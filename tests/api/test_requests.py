"""All requests: correlation ids, limits, errors and CORS; feedback; and the settings."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest
from sentiment.exceptions import ConfigurationError
from sentiment.settings import read_settings

from functions.api.outbox import Outbox
from functions.api.settings import ApiSettings
from tests.api.driver import Api

SECRET = "somebody's text in an error message"
ORIGIN = "https://app.example.com"
SetEnvironment = Callable[[dict[str, str]], None]
FEEDBACK = "/predictions/019ab1de-7c1f-7d3a-9c55-3f6d3e0a4b21/feedback"


def test_a_callers_correlation_id_is_logged_stored_and_returned(api: Api, logs: io.StringIO) -> None:
    response = api.predict("A great film", x_correlation_id="order-7/try:2")
    assert response.headers["x-correlation-id"] == "order-7/try:2"
    assert [record.correlation_id for record in api.queued] == ["order-7/try:2"]
    assert {json.loads(line)["correlation_id"] for line in logs.getvalue().splitlines()} == {"order-7/try:2"}


@pytest.mark.parametrize("unsafe", ["", "a" * 129, "two\nlines", "white space", 'quote"', "ü"])
def test_an_unsafe_correlation_id_is_replaced(api: Api, unsafe: str) -> None:
    chosen = api.get("/model", x_correlation_id=unsafe).headers["x-correlation-id"]
    assert chosen != unsafe
    assert UUID(chosen).version == 4


def test_feedback_is_stored(api: Api) -> None:
    response = api.post(FEEDBACK, {"label": "negative", "comment": "It was\0 irony."}, x_correlation_id="c-1")
    assert response.status == 202
    [record] = api.queued
    assert str(record.prediction_id) == response.json["prediction_id"] == FEEDBACK.split("/")[2]
    assert (record.label, record.comment, record.correlation_id) == ("negative", "It was\ufffd irony.", "c-1")


@pytest.mark.parametrize(
    ("path", "content", "place"),
    [
        (FEEDBACK, {"label": "furious"}, ["body", "label"]),
        (FEEDBACK, {}, ["body", "label"]),
        (FEEDBACK, {"label": "negative", "comment": "a" * 2001}, ["body", "comment"]),
        (FEEDBACK, {"label": "negative", "comment": "\ud800"}, ["body", "comment"]),
        ("/predictions/7/feedback", {"label": "negative"}, ["path", "prediction_id"]),
    ],
)
def test_invalid_feedback_is_422_with_its_location(
    api: Api, path: str, content: object, place: list[str]
) -> None:
    response = api.post(path, content)
    assert response.status == 422
    assert response.json["detail"][0]["loc"] == place
    assert api.queued == []


def test_the_error_of_an_unknown_label_lists_the_labels(api: Api) -> None:
    message = api.post(FEEDBACK, {"label": "furious"}).json["detail"][0]["msg"]
    assert "negative, positive" in message


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/nothing", b"", 404, "not_found"),
        ("GET", "/predict", b"", 405, "method_not_allowed"),
        ("POST", "/predict", b'{"text": "\xff"}', 400, "bad_request"),
        ("POST", "/predict", b'{"text": "' + b"a" * 1_048_576 + b'"}', 413, "payload_too_large"),
    ],
)
def test_every_error_has_a_code_a_message_and_the_correlation_id(
    api: Api, method: str, path: str, body: bytes, status: int, code: str
) -> None:
    response = api.request(method, path, body, x_correlation_id="c-2")
    assert response.status == status
    assert response.headers["x-correlation-id"] == "c-2"
    error = response.json["error"]
    assert (error["code"], error["correlation_id"]) == (code, "c-2")
    assert error["message"]


def test_a_body_of_exactly_1_mib_is_read(api: Api) -> None:
    texts = {"texts": ["great", ""]}
    padding = 1_048_576 - len(json.dumps(texts))
    body = json.dumps({"texts": ["great", " " * padding]}).encode()
    assert len(body) == 1_048_576
    assert api.request("POST", "/predict/batch", body).status == 200


def test_a_declared_length_over_the_limit_is_rejected_unread(api: Api) -> None:
    assert api.request("POST", "/predict", b"{}", content_length="1048577").status == 413


def test_an_unexpected_error_is_logged_without_text_and_returned_without_a_trace(
    api: Api, logs: io.StringIO
) -> None:
    class Broken(Outbox):
        def queue_available(self) -> bool:
            raise RuntimeError(SECRET)

    outbox = Broken(
        queue_url=api.dependencies.outbox.queue_url, unsent_bucket=api.dependencies.outbox.unsent_bucket
    )
    response = Api(replace(api.dependencies, outbox=outbox), api.aws).get("/health", x_correlation_id="c-3")
    assert response.status == 500
    assert response.json["error"]["code"] == "internal_error"
    assert response.headers["x-correlation-id"] == "c-3"
    assert SECRET not in response.text
    assert "Traceback" not in response.text
    assert SECRET not in logs.getvalue()
    [line] = [json.loads(line) for line in logs.getvalue().splitlines() if "unexpected error" in line]
    assert (line["correlation_id"], line["error"]) == ("c-3", "RuntimeError")
    assert "in queue_available" in line["stack"]


def test_configured_origins_can_read_responses_and_errors(
    make_api: Callable[..., Api],
) -> None:
    api = make_api(cors_origins=f"{ORIGIN}, http://localhost:5173")
    preflight = api.request("OPTIONS", "/predict", origin=ORIGIN, access_control_request_method="POST")
    assert preflight.status == 200
    assert preflight.headers["access-control-allow-origin"] == ORIGIN
    response = api.predict("", origin="http://localhost:5173")
    assert response.status == 422
    assert response.headers["access-control-allow-origin"] == "http://localhost:5173"
    assert "x-correlation-id" in response.headers["access-control-expose-headers"]


def test_other_origins_are_not_allowed(make_api: Callable[..., Api]) -> None:
    for api in (make_api(cors_origins=ORIGIN), make_api()):
        assert (
            "access-control-allow-origin" not in api.predict("great", origin="https://evil.example").headers
        )


@pytest.mark.parametrize("origins", ["*", "https://*.example.com", "https://a.example,*", "example.com"])
def test_a_wildcard_origin_is_rejected_at_start(
    variables: dict[str, str], origins: str, env: SetEnvironment
) -> None:
    env(variables | {"CORS_ORIGINS": origins})
    with pytest.raises(ConfigurationError, match=r"CORS_ORIGINS.* is not an exact origin"):
        read_settings(ApiSettings)


@pytest.mark.parametrize("missing", ["MODEL_DIR", "QUEUE_URL", "UNSENT_BUCKET"])
def test_a_missing_setting_is_named(variables: dict[str, str], missing: str, env: SetEnvironment) -> None:
    env({name: value for name, value in variables.items() if name != missing})
    with pytest.raises(ConfigurationError, match=f"{missing}: is not set"):
        read_settings(ApiSettings)


@pytest.mark.parametrize("key", ["", "changeme"])
@pytest.mark.parametrize("mode", ["hashed", "redacted"])
def test_private_modes_need_a_real_key(
    variables: dict[str, str], mode: str, key: str, env: SetEnvironment
) -> None:
    env(variables | {"PRIVACY_MODE": mode, "INPUT_HASH_KEY": key})
    with pytest.raises(ConfigurationError, match="INPUT_HASH_KEY"):
        read_settings(ApiSettings)


def test_settings_come_from_the_environment(variables: dict[str, str], env: SetEnvironment) -> None:
    env(variables | {"CORS_ORIGINS": f"{ORIGIN}, http://localhost:5173", "THREADS": "3"})
    settings = read_settings(ApiSettings)
    assert settings.cors_origins == (ORIGIN, "http://localhost:5173")
    assert (settings.threads, settings.cache_entries, settings.privacy_mode) == (3, 256, "full")
