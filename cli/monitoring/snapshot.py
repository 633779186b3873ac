"""What `sentiment monitor` shows at one moment: the reports, and the queue, which they do not cover."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cli.monitoring.reports_client import Report, Reports, UnreachableError

MAXIMUM_ALERTS = 200  # the limit of /reports/alerts
ACCURACY_DAYS = 7


@dataclass(frozen=True)
class Snapshot:
    """The state of the system at one moment."""

    at: datetime
    source: str
    summary: Report
    performance: Report
    drift: Report | None  # the last run
    alerts: list[Report]  # open alerts, newest first
    queue: dict[str, int] | None  # None without QUEUE_URL

    @property
    def status(self) -> str:
        """Return calm, warning or critical; alerts of severity info send no notification and do not count."""
        notified = [alert for alert in self.alerts if alert["severity"] != "info"]
        if any(alert["severity"] == "critical" or alert["kind"] == "monitor_failure" for alert in notified):
            return "critical"
        return "warning" if notified else "calm"

    @property
    def estimate(self) -> Report | None:
        """Return the drift monitor's last accuracy estimate, which needs no labels."""
        run: Report = self.performance["monitor"] or {}
        return run.get("estimate")

    def as_dict(self) -> dict[str, Any]:
        """Return the snapshot for JSON; the keys are stable."""
        return {
            "status": self.status,
            "at": self.at.isoformat(),
            "source": self.source,
            **{name: self.summary[name] for name in ("since", "until", "predictions", "over_time")},
            "latency_ms": self.summary["inference_time_ms"],
            "mix": self.summary["by_sentiment"],
            "model_versions": self.summary["by_model_version"],
            "confidence": self.summary["confidence"],
            "novelty": self.summary["novelty"]["mean"],
            "truncated_share": self.summary["truncated_share"],
            "requests": self.summary["requests"],
            "queue": self.queue,
            "accuracy": {"labeled": self.performance["labeled"], "estimate": self.estimate},
            "drift": self.drift,
            "alerts": self.alerts,
        }


def take_snapshot(reports: Reports, *, hours: int) -> Snapshot:
    """Read the reports of the last hours and the queue; raises UnreachableError."""
    runs = reports.get("/reports/drift", limit=1)["runs"]
    return Snapshot(
        at=datetime.now(UTC),
        source=reports.name,
        summary=reports.get("/reports/summary", hours=hours),
        performance=reports.get("/reports/performance", days=ACCURACY_DAYS),
        drift=runs[0] if runs else None,
        alerts=reports.get("/reports/alerts", limit=MAXIMUM_ALERTS)["alerts"],
        queue=_count_queue(os.environ),
    )


def _count_queue(environment: Mapping[str, str]) -> dict[str, int] | None:
    if not (queue_url := environment.get("QUEUE_URL")):
        return None
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    from local.stand_ins.moto_server import count_messages

    fail_fast = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 1})
    try:
        sqs = boto3.client("sqs", config=fail_fast)
        counts = {"waiting": count_messages(sqs, queue_url)}
        if dead_letter_url := environment.get("DEAD_LETTER_QUEUE_URL"):
            counts["dead_letters"] = count_messages(sqs, dead_letter_url)
    except (BotoCoreError, ClientError) as error:
        raise UnreachableError(f"the queue of QUEUE_URL cannot be reached ({error})") from None
    return counts
