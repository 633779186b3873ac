"""The ways in which the monitor cannot judge. Each becomes an alert: a blind monitor must not be silent.

Nothing here needs Evidently or pandas, whose absence is one of these ways.
"""

import traceback
from datetime import datetime, timedelta

from sentiment.logging import logger

from functions.drift_monitor.alerting.alerts import Finding
from functions.drift_monitor.alerting.plain_text import paragraph
from functions.drift_monitor.errors import KIND, MonitorError, Severity
from functions.drift_monitor.settings import SERVICE

LONG = timedelta(days=7)
CONSEQUENCE = "Until this is mended, calm means nothing: drift may go unseen or untold."


def not_judged_for_long(since: datetime | None, at: datetime) -> MonitorError | None:
    """Return a failure when nothing was judged for so long that a quiet time no longer explains it.

    Too few rows alone disturb nobody; a monitor that has them for good has switched itself off.
    """
    if since is None or at - since < LONG:
        return None
    return MonitorError(
        "not_judged",
        f"no window was judged since {since:%Y-%m-%d %H:%M} UTC; with so little traffic raise WINDOW_HOURS",
        severity="warning",
    )


def unforeseen(cause: str, what: str, error: Exception, *, severity: Severity = "critical") -> MonitorError:
    """Log the stack but not the message, which may quote a text, and name the error for people."""
    stack = "".join(traceback.format_tb(error.__traceback__))
    logger(SERVICE).error(what, cause=cause, error=type(error).__name__, stack=stack)
    return MonitorError(cause, f"{what} ({type(error).__name__}, see the log)", severity=severity)


def failure_finding(error: MonitorError, runbook_url: str) -> Finding:
    """Say what keeps the monitor from judging."""
    return Finding(
        kind=KIND,
        cause=error.cause,
        severity=error.severity,
        message=f"Drift monitor: {error}",
        body="\n".join([*paragraph(CONSEQUENCE), "", "What to do:", f"{runbook_url}#{error.anchor}"]),
        details={"cause": error.cause},
    )
