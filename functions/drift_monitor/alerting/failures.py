"""Turns failures of the monitor into alerts: a monitor that sees nothing must not be silent.

Nothing here imports Evidently or pandas, because their absence is one of these failures.
"""

import traceback
from datetime import datetime, timedelta

from sentiment.logging import logger

from functions.drift_monitor.alerting.alerts import Finding
from functions.drift_monitor.alerting.plain_text import paragraph
from functions.drift_monitor.errors import KIND, MonitorError, Severity
from functions.drift_monitor.settings import SERVICE

OVERDUE_AFTER = timedelta(days=7)
CONSEQUENCE = "Until this is fixed, drift may go undetected or unreported."


def overdue_verdict(since: datetime | None, at: datetime) -> MonitorError | None:
    """Return a failure if the last verdict is too old for a quiet period to explain it.

    Too few rows alone send no alert, but a monitor that always has too few monitors nothing.
    """
    if since is None or at - since < OVERDUE_AFTER:
        return None
    return MonitorError(
        "not_judged",
        f"no verdict since {since:%Y-%m-%d %H:%M} UTC; if traffic is this low, raise WINDOW_HOURS",
        severity="warning",
    )


def unexpected_failure(
    cause: str, what: str, error: Exception, *, severity: Severity = "critical"
) -> MonitorError:
    """Log the stack, not the message, which may quote a text, and return a failure that names the error."""
    stack = "".join(traceback.format_tb(error.__traceback__))
    logger(SERVICE).error(what, cause=cause, error=type(error).__name__, stack=stack)
    return MonitorError(cause, f"{what} ({type(error).__name__}, see the log)", severity=severity)


def failure_finding(error: MonitorError, runbook_url: str) -> Finding:
    """Describe why the monitor has no verdict."""
    return Finding(
        kind=KIND,
        cause=error.cause,
        severity=error.severity,
        message=f"Drift monitor: {error}",
        body="\n".join([*paragraph(CONSEQUENCE), "", "Runbook:", f"{runbook_url}#{error.anchor}"]),
        details={"cause": error.cause},
    )
