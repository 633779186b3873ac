import json
import logging
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.utilities import parameters
from sentiment.exceptions import ConfigurationError

from functions.slack_notifier import webhook
from functions.slack_notifier.handler import handler
from functions.slack_notifier.webhook import SlackError
from tests.slack_notifier.conftest import PATH, Context, Slack, clear_caches

EVENTS = Path(__file__).parents[2] / "events"


def event(name: str = "sns_data_drift") -> dict[str, Any]:
    content: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return content


def notify(seconds: float = 30.0, name: str = "sns_data_drift") -> dict[str, int]:
    return handler(event(name), Context(seconds))  # type: ignore[arg-type]


def test_an_alert_arrives_in_the_channel(slack: Slack, secret: str) -> None:
    assert notify() == {"posted": 1}
    (message,) = slack.messages
    assert message["text"].startswith(":rotating_light: Data drift: 6 of 8 input features drifted")


def test_the_webhook_is_read_once_and_cached(slack: Slack, secret: str) -> None:
    notify()
    boto3.client("secretsmanager").put_secret_value(SecretId=secret, SecretString="http://127.0.0.1:9/")
    notify()
    assert len(slack.messages) == 2


def test_a_replaced_webhook_is_read_again(slack: Slack, secret: str) -> None:
    notify()
    slack.revoked_path = PATH
    renewed = slack.url.replace("a-credential", "renewed")
    boto3.client("secretsmanager").put_secret_value(SecretId=secret, SecretString=renewed)

    notify()

    assert slack.paths == [PATH, PATH, PATH.replace("a-credential", "renewed")]


def test_the_webhook_may_be_in_parameter_store(
    slack: Slack, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ssm = boto3.client("ssm")
    ssm.put_parameter(Name="/alerts/slack", Value=slack.url, Type="SecureString")
    arn = ssm.get_parameter(Name="/alerts/slack")["Parameter"]["ARN"]
    monkeypatch.setenv("SLACK_WEBHOOK_SECRET_ARN", arn)
    clear_caches()

    notify()

    assert slack.paths == [PATH]


@pytest.mark.parametrize("error", [500, 502, 503, (429, "rate_limited")])
def test_temporary_errors_are_retried(slack: Slack, secret: str, error: Any) -> None:
    slack.script = [error, error]
    notify()
    assert (len(slack.paths), len(slack.messages)) == (3, 1)


def test_a_timeout_is_retried(slack: Slack, secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "ATTEMPT_SECONDS", 0.2)
    slack.script = ["hang"]
    notify()
    assert (len(slack.paths), len(slack.messages)) == (2, 1)


def test_a_429_is_retried_after_the_time_slack_gives(slack: Slack, secret: str) -> None:
    slack.script = [(429, "rate_limited", {"Retry-After": "1"})]
    started = time.monotonic()
    notify()
    assert time.monotonic() - started >= 1.0
    assert len(slack.messages) == 1


def test_a_wait_longer_than_the_remaining_time_is_left_to_lambda(slack: Slack, secret: str) -> None:
    slack.script = [(429, "rate_limited", {"Retry-After": "3000"})]
    started = time.monotonic()
    with pytest.raises(
        SlackError, match=r"Slack responded with 429 \(rate_limited\); gave up after 1 attempts"
    ):
        notify(seconds=100)
    assert time.monotonic() - started < 50
    assert len(slack.paths) == 1


def test_a_persistent_error_fails_the_invocation(slack: Slack, secret: str) -> None:
    slack.script = [500] * 50
    with pytest.raises(SlackError, match=r"Slack responded with 500 .*gave up after 6 attempts"):
        notify()


def test_persistent_timeouts_fail_before_lambda_times_out(slack: Slack, secret: str) -> None:
    slack.script = ["hang"] * 50
    context = Context(2.2)
    with pytest.raises(SlackError, match=r"Slack cannot be reached|no time left"):
        handler(event(), context)  # type: ignore[arg-type]
    assert context.get_remaining_time_in_millis() > 0


@pytest.mark.parametrize(
    ("status", "word"),
    [(404, "no_service"), (403, "invalid_token"), (410, "channel_is_archived"), (400, "invalid_blocks")],
)
def test_permanent_errors_are_not_retried(slack: Slack, secret: str, status: int, word: str) -> None:
    slack.script = [(status, word)] * 2
    with pytest.raises(SlackError, match=rf"^Slack responded with {status} \({word}\)$"):
        notify()
    assert len(slack.paths) == 1


def test_a_redirect_is_not_followed(slack: Slack, secret: str) -> None:
    slack.script = [(302, "moved", {"Location": slack.url})]
    with pytest.raises(SlackError, match="302"):
        notify()
    assert len(slack.paths) == 1


@pytest.mark.parametrize("value", ["", "{}", "not a url", "https://hooks.slack.com/services/x y"])
def test_a_secret_without_a_url_is_named_but_not_quoted(slack: Slack, secret: str, value: str) -> None:
    if value:
        boto3.client("secretsmanager").put_secret_value(SecretId=secret, SecretString=value)
    else:
        boto3.client("secretsmanager").delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
    parameters.clear_caches()
    with pytest.raises(ConfigurationError) as raised:
        notify()
    assert secret in str(raised.value)
    assert not value or value not in str(raised.value)


def test_a_setting_that_holds_the_webhook_url_is_rejected(
    slack: Slack, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_WEBHOOK_SECRET_ARN", slack.url)
    clear_caches()
    with pytest.raises(ConfigurationError, match="SLACK_WEBHOOK_SECRET_ARN") as raised:
        notify()
    assert "a-credential" not in str(raised.value)


def test_neither_webhook_nor_message_is_ever_logged(
    slack: Slack,
    secret: str,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.INFO)
    alert = event()
    alert["Records"][0]["Sns"]["Message"] = "words-that-nobody-may-log"
    slack.script = [500]
    handler(alert, Context())  # type: ignore[arg-type]
    slack.script = [500] * 50
    with pytest.raises(SlackError) as first:
        handler(alert, Context())  # type: ignore[arg-type]
    slack.server.shutdown()
    slack.server.server_close()
    with pytest.raises(SlackError) as second:
        handler(alert, Context())  # type: ignore[arg-type]

    output = capsys.readouterr()
    logged = str([vars(record) for record in caplog.records]) + output.out + output.err
    assert "posted" in logged
    for words in ("a-credential", "words-that-nobody-may-log"):
        assert words not in logged + str(first.value) + str(second.value)


@pytest.mark.parametrize("name", sorted(path.stem for path in EVENTS.glob("sns_*.json")))
def test_the_example_events_are_posted(slack: Slack, secret: str, name: str) -> None:
    assert notify(name=name) == {"posted": 1}
    assert len(slack.messages) == 1


def test_imports_only_what_its_group_installs() -> None:
    foreign = ["torch", "fastapi", "onnxruntime", "pandas", "numpy", "sqlalchemy", "evidently", "requests"]
    code = f"import sys, functions.slack_notifier.handler; print([m for m in {foreign} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
