"""Delivers a message to a Slack incoming webhook within the time that is left, or says why not.

What may pass is tried again (timeouts, 5xx, and 429 as late as Slack asks), what will not is not. The URL is
a credential: it is never logged, nor part of an error.
"""

import random
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import urllib3
from aws_lambda_powertools.utilities import parameters
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from sentiment.exceptions import ConfigurationError, SentimentError

ATTEMPTS = 6
BACK_OFF_SECONDS = 0.5  # doubled after each attempt
ATTEMPT_SECONDS = 5.0
MARGIN_SECONDS = 1.0  # kept for failing in an orderly way before Lambda's own timeout
SECRET_SECONDS = 300  # how long a webhook is remembered
GONE = (403, 404, 410)  # Slack's answers when a webhook was revoked, replaced, or its channel archived


class SlackError(SentimentError):
    """Slack did not take the message; `gone` tells that this webhook will never take one again."""

    code: ClassVar[str] = "slack_error"
    status: ClassVar[int] = 502

    def __init__(self, message: str, *, gone: bool = False) -> None:
        super().__init__(message)
        self.gone = gone


def deliver(
    message: Mapping[str, Any],
    secret_arn: str,
    *,
    remaining_seconds: Callable[[], float],
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Post the message, with a freshly read webhook when the remembered one is gone; raises SlackError."""
    url = read_webhook(secret_arn)
    try:
        _post(url, message, remaining_seconds, sleep)
    except SlackError as error:
        if not error.gone or (fresh := read_webhook(secret_arn, fresh=True)) == url:
            raise
        _post(fresh, message, remaining_seconds, sleep)


def read_webhook(secret_arn: str, *, fresh: bool = False) -> str:
    """Return the webhook's URL; raises ConfigurationError when there is none, without quoting what is."""
    read = parameters.get_parameter if ":ssm:" in secret_arn else parameters.get_secret
    options: dict[str, Any] = {"decrypt": True} if ":ssm:" in secret_arn else {}
    try:
        value = read(secret_arn, max_age=SECRET_SECONDS, force_fetch=fresh, **options)
    except GetParameterError as error:
        reason = type(error.__cause__ or error).__name__
        raise ConfigurationError(f"the Slack webhook cannot be read from {secret_arn} ({reason})") from None
    url = value.strip() if isinstance(value, str) else ""
    if not re.fullmatch(r"https?://\S+", url):
        raise ConfigurationError(f"{secret_arn} must hold the webhook's URL and nothing else")
    return url


def _post(
    url: str,
    message: Mapping[str, Any],
    remaining_seconds: Callable[[], float],
    sleep: Callable[[float], None],
) -> None:
    # A connection of its own: the next alert is hours away, and this one may live in a frozen process.
    with urllib3.PoolManager() as http:
        for attempt in range(ATTEMPTS):
            back_off = BACK_OFF_SECONDS * 2**attempt * random.uniform(1, 1.5)  # noqa: S311 - no secret
            budget = min(ATTEMPT_SECONDS, remaining_seconds() - MARGIN_SECONDS)
            if budget <= 0:
                raise SlackError("no time is left to post to Slack")
            try:
                answer = http.request(
                    "POST",
                    url,
                    json=message,
                    timeout=urllib3.Timeout(total=budget),
                    retries=False,
                    redirect=False,
                )
            except urllib3.exceptions.HTTPError as error:
                problem, wait = f"Slack cannot be reached ({type(error).__name__})", back_off
            else:
                if answer.status == 200:
                    return
                problem = f"Slack answered {answer.status}{_reason(answer.data)}"
                if answer.status == 429:
                    wait = _retry_after(answer.headers.get("Retry-After")) or back_off
                elif answer.status >= 500:
                    wait = back_off
                else:
                    raise SlackError(problem, gone=answer.status in GONE)
            if attempt == ATTEMPTS - 1 or wait >= remaining_seconds() - MARGIN_SECONDS:
                raise SlackError(f"{problem}; gave up after {attempt + 1} attempts")
            sleep(wait)


def _retry_after(header: str | None) -> float | None:
    """Return Slack's wait in seconds, which it always gives as a number."""
    return float(header) if header and re.fullmatch(r"\d{1,6}", header) else None


def _reason(body: bytes) -> str:
    """Return Slack's own word for it, such as no_service, and nothing that looks otherwise."""
    word = body[:60].decode(errors="replace").strip()
    return f" ({word})" if re.fullmatch(r"[a-z_]{1,50}", word) else ""
