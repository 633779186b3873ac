import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.utilities import parameters
from moto import mock_aws
from sentiment.logging import logger

from functions.slack_notifier import settings, webhook

PATH = "/services/T000/B000/a-credential"


class Slack:
    """A local webhook that returns the statuses of its script one after another, and then 200."""

    def __init__(self) -> None:
        self.script: list[int | str | tuple[int, str] | tuple[int, str, dict[str, str]]] = []
        self.messages: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.revoked_path: str | None = None
        slack = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                slack.paths.append(self.path)
                step = slack.script.pop(0) if slack.script else 200
                if self.path == slack.revoked_path:
                    step = (404, "no_service")
                if step == "hang":
                    time.sleep(1.5)
                    return
                status, word, headers = (*step, {})[:3] if isinstance(step, tuple) else (step, "ok", {})
                if status == 200:
                    slack.messages.append(json.loads(body))
                self.send_response(int(status))
                for name, value in dict(headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(str(word).encode())

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}{PATH}"
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()


class Context:
    """A Lambda context with that many seconds left."""

    def __init__(self, seconds: float = 30.0) -> None:
        self.end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self.end - time.monotonic()) * 1000))


@pytest.fixture(scope="session", autouse=True)
def early_logger() -> None:
    """Make the cached logger before a test captures output, whose stream is closed after that test."""
    logger("slack_notifier")


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slack]:
    slack = Slack()
    monkeypatch.setattr(webhook, "BACK_OFF_SECONDS", 0.01)
    yield slack
    slack.server.shutdown()
    slack.server.server_close()


@pytest.fixture
def secret(slack: Slack, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A secret that holds the webhook's URL; its ARN is set in the environment."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws(config={"core": {"passthrough": {"urls": [r"http://127\.0\.0\.1.*"]}}}):
        clear_caches()
        client = boto3.client("secretsmanager")
        arn = str(client.create_secret(Name="slack", SecretString=slack.url)["ARN"])
        monkeypatch.setenv("SLACK_WEBHOOK_SECRET_ARN", arn)
        yield arn
    clear_caches()


def clear_caches() -> None:
    """Clear settings, cached secrets and their clients."""
    settings.settings.cache_clear()
    parameters.clear_caches()
    parameters.base.DEFAULT_PROVIDERS.clear()
