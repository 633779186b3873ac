"""Why a run of the monitor has no verdict; `alerting.failures` turns each error into an alert."""

from typing import ClassVar, Literal

from sentiment.exceptions import SentimentError

KIND = "monitor_failure"
Severity = Literal["info", "warning", "critical"]


class MonitorError(SentimentError):
    """A run has no verdict; `cause` groups its alerts, and severity info is recorded but not sent."""

    code: ClassVar[str] = KIND

    def __init__(
        self,
        cause: str,
        message: str,
        *,
        severity: Severity = "critical",
        anchor: str = "monitor-failure",
    ) -> None:
        super().__init__(message)
        self.cause = cause
        self.severity = severity
        self.anchor = anchor  # heading of the runbook
