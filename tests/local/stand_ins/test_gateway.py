import base64
import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sentiment.exceptions import ConfigurationError

from local.stand_ins.gateway import BODY_LIMIT_BYTES, api_event, http_response, running_gateway
from local.stand_ins.lambda_runtime import FunctionError
from local.stand_ins.static_site import StaticSite

EVENTS = Path(__file__).parents[3] / "events"


def paths(value: Any, prefix: str = "") -> set[str]:
    """Return the dotted paths of all keys except the client's headers."""
    if not isinstance(value, dict) or prefix.endswith("headers."):
        return {prefix}
    return {path for key, inner in value.items() for path in paths(inner, f"{prefix}{key}.")}


@pytest.mark.parametrize("sample", sorted(EVENTS.glob("api_*.json")), ids=lambda path: path.stem)
def test_an_event_has_the_keys_of_the_samples(sample: Path) -> None:
    expected = json.loads(sample.read_text())
    made = api_event(
        expected["requestContext"]["http"]["method"],
        expected["rawPath"],
        query=expected["rawQueryString"],
        headers=list(expected["headers"].items()),
        body=expected.get("body", "").encode(),
    )
    assert paths(made) == paths(expected) - {"pathParameters."}
    assert made.get("body") == expected.get("body")
    assert all(isinstance(value, str) for value in made["headers"].values())


def test_repeated_headers_and_parameters_are_joined_and_cookies_separate() -> None:
    event = api_event(
        "GET",
        "/a b",
        query="x=1&x=2&y=&z=%20",
        headers=[("X-Many", "1"), ("x-many", "2"), ("Cookie", "a=1; b=2")],
    )
    assert event["rawPath"] == "/a b"
    assert event["headers"]["x-many"] == "1,2"
    assert "cookie" not in event["headers"]
    assert event["cookies"] == ["a=1", "b=2"]
    assert event["queryStringParameters"] == {"x": "1,2", "y": "", "z": " "}
    assert "body" not in event


def test_a_body_that_is_not_text_is_base64() -> None:
    for content_type, body in [("image/png", b"\x89PNG"), ("application/json", b"\xff"), ("", b"text")]:
        event = api_event("POST", "/", headers=[("content-type", content_type)], body=body)
        assert event["isBase64Encoded"]
        assert base64.b64decode(event["body"]) == body


def test_a_result_becomes_http_with_binary_body_headers_and_cookies() -> None:
    response = http_response(
        {
            "statusCode": 200,
            "headers": {"content-type": "image/png"},
            "multiValueHeaders": {"x-many": ["1", "2"]},
            "cookies": ["a=1", "b=2"],
            "body": base64.b64encode(b"\x89PNG").decode(),
            "isBase64Encoded": True,
        }
    )
    assert response.body == b"\x89PNG"
    assert response.headers.getlist("set-cookie") == ["a=1", "b=2"]
    assert response.headers.getlist("x-many") == ["1", "2"]
    assert response.headers["content-type"] == "image/png"


@pytest.mark.parametrize("result", [None, "text", {"body": "no status"}])
def test_a_result_without_status_code_is_an_error(result: Any) -> None:
    with pytest.raises(FunctionError, match="statusCode"):
        http_response(result)


@pytest.fixture(scope="module")
def address(start: Any) -> Iterator[str]:
    with running_gateway(start("respond_http")) as url:
        yield urlsplit(url).netloc


def request(address: str, *arguments: Any, **keywords: Any) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(address, timeout=10)
    try:
        connection.request(*arguments, **keywords)
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def test_a_request_reaches_the_function_and_its_response_the_client(address: str) -> None:
    headers = {"X-Sent": "yes", "content-type": "application/json", "cookie": "c=3"}
    response, body = request(address, "PUT", "/p%20q?x=%C3%A9", body='{"é": 1}'.encode(), headers=headers)
    event = json.loads(body)
    assert response.status == 201
    assert response.headers["x-seen"] == "yes"
    assert response.headers.get_all("set-cookie") == ["a=1; Path=/", "b=2"]
    assert (event["rawPath"], event["rawQueryString"]) == ("/p q", "x=%C3%A9")
    assert event["requestContext"]["http"]["method"] == "PUT"
    assert event["body"] == '{"é": 1}'
    assert event["cookies"] == ["c=3"]


def test_a_failed_function_is_a_502_without_details(address: str) -> None:
    response, body = request(address, "GET", "/raise")
    assert response.status == 502
    assert json.loads(body) == {"message": "Internal Server Error"}


def test_a_body_over_the_limit_of_api_gateway_is_rejected(address: str) -> None:
    response, _ = request(address, "POST", "/", body=bytes(BODY_LIMIT_BYTES + 1))
    assert response.status == 413


def test_paths_under_reports_go_to_reports_and_all_others_to_the_api(start: Any) -> None:
    with running_gateway(start("respond_http"), start("echo")) as url:
        address = urlsplit(url).netloc
        for path in ("/predict", "/reports", "/reporting/summary", "/"):
            assert request(address, "GET", path)[0].status == 201, "from respond_http"
        response, _ = request(address, "GET", "/reports/summary?hours=24")
    assert response.status == 502, "echo returns no statusCode"


def test_a_taken_port_is_named_with_its_variable(address: str, start: Any) -> None:
    port = int(address.rpartition(":")[2])
    with (
        pytest.raises(ConfigurationError, match=f"port {port} is taken.*API_PORT"),
        running_gateway(start("echo"), port=port),
    ):
        pass


def test_the_site_is_at_the_root_and_the_functions_are_under_api_and_at_their_own_paths(
    start: Any, tmp_path: Path
) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<p>the page</p>")
    (tmp_path / "assets" / "index-4f2a.js").write_text("1")
    with running_gateway(start("respond_http"), site=StaticSite(tmp_path)) as url:
        address = urlsplit(url).netloc
        for route in ("/", "/watch"):
            response, body = request(address, "GET", route)
            assert (response.status, body) == (200, b"<p>the page</p>")
            assert response.headers["cache-control"] == "no-cache"
            assert response.headers["content-security-policy"].startswith("default-src 'none'")
        response, body = request(address, "GET", "/assets/index-4f2a.js")
        assert (response.status, response.headers["content-type"][:15], body) == (
            200,
            "text/javascript",
            b"1",
        )
        assert "immutable" in response.headers["cache-control"]
        assert json.loads(request(address, "GET", "/config.json")[1]) == {"sign_in": None}
        for path in ("/assets/none.js", "/assets/../../secret", "/assets/%2e%2e/%2e%2e/etc/passwd"):
            assert request(address, "GET", path)[0].status == 404
        for path in ("/api/predict", "/predict"):
            assert json.loads(request(address, "PUT", path)[1])["rawPath"] == "/predict"


def test_a_site_that_is_not_built_says_how_to_build_it(start: Any, tmp_path: Path) -> None:
    with running_gateway(start("respond_http"), site=StaticSite(tmp_path / "none")) as url:
        response, body = request(urlsplit(url).netloc, "GET", "/")
    assert response.status == 404
    assert b"make web" in body
