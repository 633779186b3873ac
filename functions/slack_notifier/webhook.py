"""Posts a message to a Slack incoming webhook within the remaining time of the invocation.

Temporary errors are retried (timeouts, 5xx, and 429 after Slack's Retry-After), permanent ones are not. The
URL is a credential: it is never logged, nor part of an error.
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
MARGIN_SECONDS = 1.0  # to fail before Lambda's own timeout
SECRET_CACHE_SECONDS = 300
REVOKED = (403, 404, 410)  # status if the webhook was revoked or replaced, or its channel archived


class SlackError(SentimentError):
    """Slack did not accept the message; `revoked` if this webhook will never accept one again."""

    code: ClassVar[str] = "slack_error"
    status: ClassVar[int] = 502

    def __init__(self, message: str, *, revoked: bool = False) -> None:
        super().__init__(message)
        self.revoked = revoked


def deliver(
    message: Mapping[str, Any],
    secret_arn: str,
    *,
    remaining_seconds: Callable[[], float],
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Post the message, with a freshly read webhook if the cached one was revoked; raises SlackError."""
    url = read_webhook(secret_arn)
    try:
        _post(url, message, remaining_seconds, sleep)
    except SlackError as error:
        if not error.revoked or (fresh := read_webhook(secret_arn, fresh=True)) == url:
            raise
        _post(fresh, message, remaining_seconds, sleep)


def read_webhook(secret_arn: str, *, fresh: bool = False) -> str:
    """Return the webhook's URL; raises ConfigurationError, without quoting the secret, if there is none."""
    read = parameters.get_parameter if ":ssm:" in secret_arn else parameters.get_secret
    options: dict[str, Any] = {"decrypt": True} if ":ssm:" in secret_arn else {}
    try:
        value = read(secret_arn, max_age=SECRET_CACHE_SECONDS, force_fetch=fresh, **options)
    except GetParameterError as error:
        reason = type(error.__cause__ or error).__name__
        raise ConfigurationError(f"the Slack webhook cannot be read from {secret_arn} ({reason})") from None
    url = value.strip() if isinstance(value, str) else ""
    if not re.fullmatch(r"https?://\S+", url):
        raise ConfigurationError(f"{secret_arn} must contain only the URL of the Slack webhook")
    return url


def _post(
    url: str,
    message: Mapping[str, Any],
    remaining_seconds: Callable[[], float],
    sleep: Callable[[float], None],
) -> None:
    # A new connection each time: the next alert is hours away, and Lambda freezes the process in between.
    with urllib3.PoolManager() as http:
        for attempt in range(ATTEMPTS):
            back_off = BACK_OFF_SECONDS * 2**attempt * random.uniform(1, 1.5)  # noqa: S311 - no secret
            budget = min(ATTEMPT_SECONDS, remaining_seconds() - MARGIN_SECONDS)
            if budget <= 0:
                raise SlackError("no time left to post to Slack")
            try:
                response = http.request(
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
                if response.status == 200:
                    return
                problem = f"Slack responded with {response.status}{_reason(response.data)}"
                if response.status == 429:
                    wait = _retry_after(response.headers.get("Retry-After")) or back_off
                elif response.status >= 500:
                    wait = back_off
                else:
                    raise SlackError(problem, revoked=response.status in REVOKED)
            if attempt == ATTEMPTS - 1 or wait >= remaining_seconds() - MARGIN_SECONDS:
                raise SlackError(f"{problem}; gave up after {attempt + 1} attempts")
            sleep(wait)


def _retry_after(header: str | None) -> float | None:
    """Return the seconds to wait; Slack always gives a number, never a date."""
    return float(header) if header and re.fullmatch(r"\d{1,6}", header) else None


def _reason(body: bytes) -> str:
    """Return Slack's error code, such as no_service, and nothing that does not look like one."""
    code = body[:60].decode(errors="replace").strip()
    return f" ({code})" if re.fullmatch(r"[a-z_]{1,50}", code) else ""
