"""Why a run of the monitor cannot judge; `alerting.failures` turns each into an alert."""

from typing import ClassVar, Literal

from sentiment.exceptions import SentimentError

KIND = "monitor_failure"
Severity = Literal["info", "warning", "critical"]


class MonitorError(SentimentError):
    """A run cannot say whether traffic has drifted; `cause` groups the alerts, info is not sent out."""

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
        self.anchor = anchor  # in the runbook
