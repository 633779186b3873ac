"""The last part of the demo: the traffic shifts, and the drift monitor must detect it.

Time is compressed, as the report states: the traffic of an hour is sent within seconds, and the monitor
judges the hour that began with it. Each hour has its own traffic; runs invoke the function like the
schedule.
"""

import re
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sentiment.database.models import DatasetMetric, MonitoringAlert
from sentiment.database.runs import WINDOW_DATASET
from sentiment.database.session import transaction
from sentiment.exceptions import SentimentError
from sentiment.limits import MAX_TEXTS
from sqlalchemy import delete, select

from local.drift_summary import drifted_verdicts
from local.progress import Steps
from local.stand_ins.gateway import invoke_api, running_gateway
from local.stand_ins.slack import SlackWebhook
from local.system import System

HOUR = timedelta(hours=1)
DELIVER_SECONDS = 60.0
LINK = re.compile(r"http://\S+/page")
# So that a single hour is judged instead of a longer window, and the demo does not start a training.
MONITOR_SETTINGS = {"MINIMUM_ROWS": "200", "SUFFICIENT_ROWS": "200", "ON_DRIFT": "notify"}


class ShiftedTrafficError(SentimentError):
    """The shifted traffic was rejected, or not stored in time."""


@dataclass(frozen=True)
class Run:
    """The drift monitor's result for one hour, and the duration of the run."""

    traffic: str
    result: dict[str, Any]
    seconds: float


def delete_alerts(system: System) -> None:
    """Delete the alerts and runs of earlier demos in this folder, whose alerts would still be open."""
    with transaction(system.engine) as session:
        session.execute(delete(MonitoringAlert))
        session.execute(delete(DatasetMetric).where(DatasetMetric.dataset == WINDOW_DATASET))
    for path in system.mail_folder.glob("*.txt"):
        path.unlink()


def judge(system: System, traffic: str, began: datetime) -> Run:
    """Run the drift monitor on the hour that began then; raises FunctionError when it fails."""
    started = time.perf_counter()
    result = system.drift_monitor.invoke({"scheduled_at": (began + HOUR).isoformat()})
    return Run(traffic, result, time.perf_counter() - started)


def send_hour(system: System, texts: Sequence[str]) -> datetime:
    """Send texts in batches, wait until they are stored, and return the time of the first batch."""
    began = datetime.now(UTC)
    for start in range(0, len(texts), MAX_TEXTS):
        payload = {"texts": list(texts[start : start + MAX_TEXTS])}
        status, response, _ = invoke_api(system.api, "POST", "/predict/batch", payload)
        if status != 200 or any("error" in result for result in response["results"]):
            raise ShiftedTrafficError(f"/predict/batch returned {status}, or an error for a text")
    if left := system.event_source.drain(DELIVER_SECONDS):
        raise ShiftedTrafficError(f"{left} messages were not stored within {DELIVER_SECONDS:.0f} s")
    return began


def demonstrate_drift(
    system: System,
    slack: SlackWebhook,
    steps: Steps,
    *,
    unshifted_since: datetime,
    hours: Sequence[Sequence[str]],
    page: Path,
    port: int,
) -> dict[str, Any]:
    """Judge the traffic since `unshifted_since`, then the shifted `hours`; return the report's drift part.

    The page that the first alert links to is saved as `page`; the monitor's REPORTS_URL must use `port`. Call
    `delete_alerts` before.
    """
    with steps.step("check the held-out reviews for drift"):
        runs = [judge(system, "held-out reviews", unshifted_since)]
    for number, texts in enumerate(hours, start=1):
        with steps.step(f"hour {number} of {len(hours)} with shifted traffic: send, store, check for drift"):
            runs.append(judge(system, f"shifted traffic, hour {number}", send_hour(system, texts)))
    with steps.step("wait for email and Slack"):
        system.alert_source.drain(DELIVER_SECONDS)
    with transaction(system.engine) as session:
        notified = session.scalars(select(MonitoringAlert).where(MonitoringAlert.notified_at.is_not(None)))
        alerts = [
            {"kind": alert.kind, "severity": alert.severity, "message": alert.message} for alert in notified
        ]
    mails = [path.read_text(encoding="utf-8") for path in sorted(system.mail_folder.glob("*.txt"))]
    with running_gateway(system.api, system.reports, port=port):
        saved = save_page(mails, page)
    return {
        "runs": [_summarize(run) for run in runs],
        "alerts": alerts,
        "mails": mails,
        "slack": list(slack.received),
        "page": str(page) if saved else None,
        "checks": {
            "no drift is detected in the held-out reviews": _drifted(runs[0]) == [],
            "the shifted traffic is detected as data drift": all(
                "data_drift" in (_drifted(run) or []) for run in runs[1:]
            ),
            "one alert is sent, by email and to Slack": "data_drift" in {a["kind"] for a in alerts}
            and len(mails) == len(slack.received) == len(alerts),
            "the link in the alert opens the drift report": saved,
        },
    }


def save_page(mails: Sequence[str], path: Path) -> bool:
    """Save the page that the first email links to; return whether it is HTML."""
    links = [link[0] for mail in mails if (link := LINK.search(mail))]
    if not links:
        return False
    with urllib.request.urlopen(links[0], timeout=DELIVER_SECONDS) as response:  # noqa: S310 - matched above
        path.write_bytes(response.read())
    return b"<html" in path.read_bytes()


def _summarize(run: Run) -> dict[str, Any]:
    """Return what the report shows of a run; dataset_metrics has everything."""
    result = run.result
    if not result["judged"]:
        return {"what": run.traffic, "seconds": round(run.seconds, 1), "reason": result["reason"]}
    features = result["data_drift"]["features"] + result["prediction_drift"]["features"]
    most = max(features, key=lambda feature: feature["effect"] / feature["threshold"])
    return {
        "what": run.traffic,
        "rows": result["rows"],
        "score": result["score"],
        "drifted": _drifted(run),
        "most": {name: most[name] for name in ("feature", "reference", "current")},
        "seconds": round(run.seconds, 1),
    }


def _drifted(run: Run) -> list[str] | None:
    """Return the verdicts that found drift, or None if there is no verdict."""
    return drifted_verdicts(run.result) if run.result["judged"] else None
