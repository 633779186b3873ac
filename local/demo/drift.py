"""The end of the demonstration: other texts come in, and the drift monitor has to say so.

Time is compressed, and the report says that it is: an hour's traffic is sent within seconds, and the monitor
is then asked to judge the hour that began with it. Each hour holds traffic of its own; the runs are the ones
that the schedule would start, on the function that it would start.
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

from local.stand_ins.gateway import invoke_api, running_gateway
from local.stand_ins.slack import Slack
from local.stand_ins.verdicts import drifted
from local.steps import Steps
from local.system import System

HOUR = timedelta(hours=1)
DELIVER_SECONDS = 60.0
LINK = re.compile(r"http://\S+/page")
# So that one such hour is judged, and not the day around it; and nobody is to train during a demonstration.
JUDGEMENT = {"MINIMUM_ROWS": "200", "SUFFICIENT_ROWS": "200", "ON_DRIFT": "notify"}


class ChangedTrafficError(SentimentError):
    """The changed traffic was refused, or not stored in time."""


@dataclass(frozen=True)
class Run:
    """What the drift monitor answered about one hour, and in how many seconds."""

    what: str
    answer: dict[str, Any]
    seconds: float


def forget_alerts(system: System) -> None:
    """Remove what earlier demonstrations in this folder found: their alerts would be open still."""
    with transaction(system.engine) as session:
        session.execute(delete(MonitoringAlert))
        session.execute(delete(DatasetMetric).where(DatasetMetric.dataset == WINDOW_DATASET))
    for path in system.mail.glob("*.txt"):
        path.unlink()


def judge(system: System, what: str, began: datetime) -> Run:
    """Have the hour that began then judged; raises FunctionError when the monitor cannot."""
    started = time.perf_counter()
    answer = system.drift_monitor.invoke({"scheduled_at": (began + HOUR).isoformat()})
    return Run(what, answer, time.perf_counter() - started)


def send_hour(system: System, texts: Sequence[str]) -> datetime:
    """Send texts in batches, wait until they are stored, and return when the first was sent."""
    began = datetime.now(UTC)
    for start in range(0, len(texts), MAX_TEXTS):
        payload = {"texts": list(texts[start : start + MAX_TEXTS])}
        status, answer, _ = invoke_api(system.api, "POST", "/predict/batch", payload)
        if status != 200 or any("error" in result for result in answer["results"]):
            raise ChangedTrafficError(f"/predict/batch answered {status}, or refused a text")
    if left := system.source.drain(DELIVER_SECONDS):
        raise ChangedTrafficError(f"{left} messages were not stored within {DELIVER_SECONDS:.0f} s")
    return began


def demonstrate_drift(
    system: System,
    slack: Slack,
    steps: Steps,
    *,
    calm_since: datetime,
    hours: Sequence[Sequence[str]],
    page: Path,
    port: int,
) -> dict[str, Any]:
    """Judge the traffic since `calm_since`, then the changed `hours`; return what the report says of it.

    What the link in the first message opens is saved as `page`; the monitor's REPORTS_URL must be that of
    `port`. Needs a system that forgot its alerts.
    """
    with steps.step("look for drift among the held-out reviews"):
        runs = [judge(system, "held-out reviews", calm_since)]
    for number, texts in enumerate(hours, start=1):
        with steps.step(f"an hour of other texts, {number} of {len(hours)}: send, store, look for drift"):
            runs.append(judge(system, f"other texts, hour {number}", send_hour(system, texts)))
    with steps.step("wait until mail and Slack are told"):
        system.notices.drain(DELIVER_SECONDS)
    with transaction(system.engine) as session:
        told = session.scalars(select(MonitoringAlert).where(MonitoringAlert.notified_at.is_not(None)))
        alerts = [
            {"kind": alert.kind, "severity": alert.severity, "message": alert.message} for alert in told
        ]
    mails = [path.read_text(encoding="utf-8") for path in sorted(system.mail.glob("*.txt"))]
    with running_gateway(system.api, system.reports, port=port):
        saved = save_page(mails, page)
    return {
        "runs": [_figures(run) for run in runs],
        "alerts": alerts,
        "mails": mails,
        "slack": list(slack.posted),
        "page": str(page) if saved else None,
        "checks": {
            "no drift is seen in the held-out reviews": _drifted(runs[0]) == [],
            "other texts are seen as data drift": all(
                "data_drift" in (_drifted(run) or []) for run in runs[1:]
            ),
            "people are told of it once, by mail and in Slack": "data_drift" in {a["kind"] for a in alerts}
            and len(mails) == len(slack.posted) == len(alerts),
            "the link in the message opens the drift report": saved,
        },
    }


def save_page(mails: Sequence[str], path: Path) -> bool:
    """Follow the link in the first mail as a reader would; return whether it led to a page."""
    links = [link[0] for mail in mails if (link := LINK.search(mail))]
    if not links:
        return False
    with urllib.request.urlopen(links[0], timeout=DELIVER_SECONDS) as answer:  # noqa: S310 - matched above
        path.write_bytes(answer.read())
    return b"<html" in path.read_bytes()


def _figures(run: Run) -> dict[str, Any]:
    """Return what the report shows of a run; all of it is in dataset_metrics."""
    answer = run.answer
    if not answer["judged"]:
        return {"what": run.what, "seconds": round(run.seconds, 1), "reason": answer["reason"]}
    features = answer["data_drift"]["features"] + answer["prediction_drift"]["features"]
    most = max(features, key=lambda feature: feature["effect"] / feature["threshold"])
    return {
        "what": run.what,
        "rows": answer["rows"],
        "score": answer["score"],
        "drifted": _drifted(run),
        "most": {name: most[name] for name in ("feature", "reference", "current")},
        "seconds": round(run.seconds, 1),
    }


def _drifted(run: Run) -> list[str] | None:
    """Return the verdicts that are drift, or None when there was no judgement."""
    return drifted(run.answer) if run.answer["judged"] else None
