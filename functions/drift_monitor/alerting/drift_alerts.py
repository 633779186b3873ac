"""Turns a verdict into a message that a person can act on without opening anything else.

The text is for mail as it arrives: plain, in lines of at most 76 characters where it is not a link. How it is
told, and when, is alerts.py's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from functions.drift_monitor.alerting.alerts import Finding
from functions.drift_monitor.alerting.plain_text import bullet, fact, paragraph
from functions.drift_monitor.detection.features import Kind, Method
from functions.drift_monitor.detection.performance import Accuracy, Performance
from functions.drift_monitor.detection.phrases import Phrase
from functions.drift_monitor.detection.verdicts import Shift, Verdict
from functions.drift_monitor.errors import Severity

SIDES = {"data_drift": "input", "prediction_drift": "output"}
TITLES = {"data_drift": "Data drift", "prediction_drift": "Prediction drift"}
MEASURES: dict[Method, str] = {
    "psi": "PSI",
    "jensenshannon": "Jensen-Shannon distance",
    "wasserstein": "Wasserstein distance in standard deviations",
    "auc": "AUC of telling the texts apart",
    "difference": "fewer right by labels than by confidence",
}
TYPICAL: dict[Kind, str] = {"length": "median ", "number": "mean ", "text": "taken for new "}
# In units of the threshold. Two normal distributions ten times 0.2 standard deviations apart share less than
# a third of their area: hardly anything arrives that looks as before.
CRITICAL_FACTOR = 10.0
SHOWN = 3  # features that are described, of those that moved
LEAST_SHARE, MOST_SHARES = 0.01, 4  # of a category's values, those that are shown
BIAS = "Those who give feedback need not stand for all who ask: look at some of the labels first."
OPTIMISM = (
    "No labels decide this, but how sure the model is. On texts unlike the reference it can be surer than "
    "it should, and worse than estimated: label some of them."
)


@dataclass(frozen=True)
class RunContext:
    """What was compared, for the record and for the reader."""

    model_version: str
    mlflow_run_id: str | None
    deployment_id: str | None  # the one that has the traffic, where recorded
    function_version: str | None
    since: datetime
    until: datetime
    rows: int  # that the window holds of this model version
    compared: int  # of them; fewer when the window was sampled
    other_versions: dict[str, int]
    not_compared: tuple[str, ...]  # features that the reference or the stored rows do not give
    report_uri: str | None
    retraining: str | None

    def figures(self) -> dict[str, Any]:
        """Return what is stored of it."""
        times = {"since": self.since.isoformat(), "until": self.until.isoformat()}
        hours = (self.until - self.since).total_seconds() / 3600
        return {**asdict(self), **times, "window_hours": round(hours, 2)}

    def lines(self) -> list[str]:
        """Return it as lines of a message."""
        sampled = f" (compared by a sample of {self.compared:,})" if self.compared < self.rows else ""
        others = "; ".join(f"{rows:,} by {version}" for version, rows in self.other_versions.items())
        function = f" (function version {self.function_version})" if self.function_version else ""
        return [
            *fact("Predictions", f"{self.rows:,}{sampled}"),
            *fact("Other models", others),
            *fact("Window", f"{self.since:%Y-%m-%d %H:%M} to {self.until:%Y-%m-%d %H:%M} UTC"),
            *fact("Model", self.model_version),
            *fact("Deployment", f"{self.deployment_id or 'not recorded'}{function}"),
            *fact("MLflow run", self.mlflow_run_id or "not recorded"),
            *fact("Not compared", ", ".join(self.not_compared)),
            *fact("Retraining", self.retraining or ""),
        ]


@dataclass(frozen=True)
class AlertContext:
    """What every message of one run says beside its own verdict."""

    context: RunContext
    drifted: Mapping[str, bool]  # all verdicts of the run
    performance: Performance
    phrases: Sequence[Phrase]
    report_link: str
    runbook_url: str

    def lines(self, anchor: str) -> list[str]:
        """Return it as the last part of a message, with the place in the runbook."""
        said = (f"{name.replace('_', ' ')} {'yes' if yes else 'no'}" for name, yes in self.drifted.items())
        uses = (f'"{p.phrase}" ({p.current:g}, was {p.reference:g})' for p in self.phrases)
        typical = ["Typical of the new texts, in uses per 1,000 words:", *paragraph(", ".join(uses), 2), ""]
        return [
            *(typical if self.phrases else []),
            *self.context.lines(),
            *fact("Accuracy", _accuracies(self.performance)),
            *fact("This run", ", ".join(said)),
            "",
            "Report:",
            self.report_link,
            "What to do:",
            f"{self.runbook_url}#{anchor}",
        ]

    def figures(self) -> dict[str, Any]:
        """Return what an alert's row holds of it beside its own verdict."""
        return {**self.context.figures(), "phrases": [phrase.figures() for phrase in self.phrases]}


def drift_finding(verdict: Verdict, briefing: AlertContext, *, lasts: bool) -> Finding:
    """Say what moved, from where to where, over how many predictions, and where to read on.

    What does not last (yet) is for the record only.
    """
    moved, total = verdict.moved, len(verdict.shifts)
    message = (
        f"{TITLES[verdict.name]}: {len(moved)} of {total} {SIDES[verdict.name]} features moved, most of all "
        f"{verdict.shifts[0].feature.name}"
    )
    also = ", ".join(shift.feature.name for shift in moved[SHOWN:])
    calm = ", ".join(shift.feature.name for shift in verdict.shifts if shift not in moved)
    by_labels = briefing.performance.labelled is not None and briefing.performance.drifted
    severe = verdict.shifts[0].strength >= CRITICAL_FACTOR or by_labels
    body = [
        "What moved most, from the reference to this window:",
        *(line for shift in moved[:SHOWN] for line in _describe(shift)),
        *(paragraph(f"Moved as well: {also}") if also else []),
        *(paragraph(f"Did not move: {calm}") if calm else []),
        "",
        *briefing.lines("drift"),
    ]
    return _finding(verdict.name, message, body, briefing, verdict.figures(), lasts, severe)


def performance_finding(briefing: AlertContext, *, lasts: bool) -> Finding:
    """Say how much less often the model is right, how that is known, and how far it is to be trusted."""
    performance = briefing.performance
    labelled, evidence = performance.labelled, performance.evidence
    known = "estimated" if labelled is None else f"by {evidence.rows:,} labels"
    message = f"Performance: {evidence.accuracy:.1%} right ({known}), reference {performance.reference:.1%}"
    said = (
        f"All of the 95% interval, {evidence.low:.1%} to {evidence.high:.1%}, is more than "
        f"{100 * performance.margin:g} points below the reference."
    )
    body = [
        *paragraph(f"{said} {OPTIMISM if labelled is None else BIAS}"),
        "",
        *briefing.lines("performance"),
    ]
    figures = performance.figures()
    return _finding("performance", message, body, briefing, figures, lasts, severe=labelled is not None)


def _finding(
    kind: str,
    message: str,
    body: Sequence[str],
    briefing: AlertContext,
    figures: dict[str, Any],
    lasts: bool,
    severe: bool,
) -> Finding:
    severity: Severity = "critical" if severe else "warning"
    version = briefing.context.model_version
    details = {**briefing.figures(), **figures}
    return Finding(
        kind, version, severity if lasts else "info", message, "\n".join(body), details, model_version=version
    )


def _accuracies(performance: Performance) -> str:
    def text(accuracy: Accuracy) -> str:
        return f"{accuracy.accuracy:.1%} ({accuracy.low:.1%} to {accuracy.high:.1%})"

    labelled = performance.labelled
    by_labels = (
        f"{performance.labels} labels, too few to say"
        if labelled is None
        else f"{text(labelled)} by {labelled.rows:,} labels"
    )
    return f"{text(performance.estimate)} estimated; {by_labels}; reference {performance.reference:.1%}"


def _describe(shift: Shift) -> list[str]:
    values = " -> ".join(_value(shift, value) for value in (shift.reference, shift.current))
    typical = TYPICAL.get(shift.feature.kind, "")
    measure = f"{MEASURES[shift.feature.method]} {shift.effect:.2f}, threshold {shift.threshold:.2f}"
    return [*bullet(f"{shift.feature.name}: {typical}{values}"), *paragraph(f"({measure})", 4)]


def _value(shift: Shift, value: float | dict[str, float]) -> str:
    if isinstance(value, dict):
        frequent = sorted(value.items(), key=lambda item: -item[1])[:MOST_SHARES]
        return ", ".join(f"{share:.0%} {label}" for label, share in frequent if share >= LEAST_SHARE)
    match shift.feature.kind:
        case "length":
            return f"{value:,.0f}"
        case "number":
            return f"{value:.2f}"
        case "flag" | "text":
            return f"{value:.0%}"
        case _:
            return f"{value:.1%}"
