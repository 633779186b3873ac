"""Turns a verdict into a message that a person can act on without opening anything else.

The body is plain text for mail, in lines of at most 76 characters except for links. When it is sent is
decided in alerts.
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
from functions.drift_monitor.detection.verdicts import FeatureDrift, Verdict
from functions.drift_monitor.errors import Severity

SIDES = {"data_drift": "input", "prediction_drift": "output"}
TITLES = {"data_drift": "Data drift", "prediction_drift": "Prediction drift"}
MEASURES: dict[Method, str] = {
    "psi": "PSI",
    "jensenshannon": "Jensen-Shannon distance",
    "wasserstein": "Wasserstein distance in standard deviations",
    "auc": "domain classifier AUC",
    "difference": "accuracy by labels below calibrated confidence",
}
STATISTICS: dict[Kind, str] = {"length": "median ", "number": "mean ", "text": "mean domain score "}
# In units of the threshold. Two normal distributions that are ten times 0.2 standard deviations apart overlap
# by less than a third: hardly any traffic looks as before.
CRITICAL_FACTOR = 10.0
MAX_DETAILED = 3  # drifted features shown with their values
MIN_SHARE, MAX_SHARES = 0.01, 4  # which values of a category are shown
LABELS_NOTE = "Feedback may not be representative of all requests: check some of the labels first."
ESTIMATE_NOTE = (
    "This is an estimate from the model's confidence, without labels. On texts unlike the reference it can "
    "be too optimistic: label some of them."
)


@dataclass(frozen=True)
class RunContext:
    """What was compared, for the record and for the message."""

    model_version: str
    mlflow_run_id: str | None
    deployment_id: str | None  # of the active deployment, if recorded
    function_version: str | None
    since: datetime
    until: datetime
    rows: int  # of this model version in the window
    compared: int  # fewer than rows if the window was sampled
    other_versions: dict[str, int]
    not_compared: tuple[str, ...]  # features that the reference or the stored rows lack
    report_uri: str | None
    retraining: str | None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields stored in dataset_metrics."""
        times = {"since": self.since.isoformat(), "until": self.until.isoformat()}
        hours = (self.until - self.since).total_seconds() / 3600
        return {**asdict(self), **times, "window_hours": round(hours, 2)}

    def lines(self) -> list[str]:
        """Return the lines of a message."""
        sampled = f" (sample of {self.compared:,} compared)" if self.compared < self.rows else ""
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
    """What all messages of a run contain besides their own verdict."""

    run: RunContext
    drifted: Mapping[str, bool]  # by verdict
    performance: Performance
    phrases: Sequence[Phrase]
    report_link: str
    runbook_url: str

    def lines(self, anchor: str) -> list[str]:
        """Return the last part of a message; `anchor` is the heading of the runbook."""
        verdicts = (
            f"{name.replace('_', ' ')} {'yes' if yes else 'no'}" for name, yes in self.drifted.items()
        )
        uses = (f'"{p.phrase}" ({p.current:g}, was {p.reference:g})' for p in self.phrases)
        phrases = ["Phrases that became more frequent, per 1,000 words:", *paragraph(", ".join(uses), 2), ""]
        return [
            *(phrases if self.phrases else []),
            *self.run.lines(),
            *fact("Accuracy", _accuracies(self.performance)),
            *fact("Verdicts", ", ".join(verdicts)),
            "",
            "Report:",
            self.report_link,
            "Runbook:",
            f"{self.runbook_url}#{anchor}",
        ]

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that an alert's details hold besides its own verdict."""
        return {**self.run.as_dict(), "phrases": [phrase.as_dict() for phrase in self.phrases]}


def drift_finding(verdict: Verdict, context: AlertContext, *, persistent: bool) -> Finding:
    """Describe which features drifted, their values before and now, and where to find details.

    A verdict that is not persistent (yet) is recorded with severity info.
    """
    drifted, total = verdict.drifted_features, len(verdict.features)
    message = (
        f"{TITLES[verdict.name]}: {len(drifted)} of {total} {SIDES[verdict.name]} features drifted, "
        f"above all {verdict.features[0].feature.name}"
    )
    others = ", ".join(drift.feature.name for drift in drifted[MAX_DETAILED:])
    stable = ", ".join(drift.feature.name for drift in verdict.features if not drift.drifted)
    by_labels = context.performance.labeled is not None and context.performance.drifted
    critical = verdict.features[0].strength >= CRITICAL_FACTOR or by_labels
    body = [
        "Largest shifts, from the reference to this window:",
        *(line for drift in drifted[:MAX_DETAILED] for line in _describe(drift)),
        *(paragraph(f"Also drifted: {others}") if others else []),
        *(paragraph(f"Not drifted: {stable}") if stable else []),
        "",
        *context.lines("drift"),
    ]
    return _finding(verdict.name, message, body, context, verdict.as_dict(), persistent, critical)


def performance_finding(context: AlertContext, *, persistent: bool) -> Finding:
    """Describe how far accuracy fell, what that is based on, and how reliable it is."""
    performance = context.performance
    labeled, accuracy = performance.labeled, performance.deciding
    measured = (
        f"estimated accuracy {accuracy.accuracy:.1%}"
        if labeled is None
        else f"accuracy {accuracy.accuracy:.1%} by {accuracy.rows:,} labels"
    )
    message = f"Performance: {measured}, reference {performance.reference:.1%}"
    interval = (
        f"The whole 95% interval, {accuracy.low:.1%} to {accuracy.high:.1%}, is more than "
        f"{100 * performance.margin:g} points below the reference."
    )
    body = [
        *paragraph(f"{interval} {ESTIMATE_NOTE if labeled is None else LABELS_NOTE}"),
        "",
        *context.lines("performance"),
    ]
    return _finding(
        "performance", message, body, context, performance.as_dict(), persistent, labeled is not None
    )


def _finding(
    kind: str,
    message: str,
    body: Sequence[str],
    context: AlertContext,
    verdict: dict[str, Any],
    persistent: bool,
    critical: bool,
) -> Finding:
    severity: Severity = ("critical" if critical else "warning") if persistent else "info"
    version = context.run.model_version
    details = {**context.as_dict(), **verdict}
    return Finding(kind, version, severity, message, "\n".join(body), details, model_version=version)


def _accuracies(performance: Performance) -> str:
    def text(accuracy: Accuracy) -> str:
        return f"{accuracy.accuracy:.1%} ({accuracy.low:.1%} to {accuracy.high:.1%})"

    labeled = performance.labeled
    by_labels = (
        f"{performance.labels} labels (too few)"
        if labeled is None
        else f"{text(labeled)} by {labeled.rows:,} labels"
    )
    return f"{text(performance.estimate)} estimated; {by_labels}; reference {performance.reference:.1%}"


def _describe(drift: FeatureDrift) -> list[str]:
    feature = drift.feature
    values = " -> ".join(_value(feature.kind, value) for value in (drift.reference, drift.current))
    statistic = STATISTICS.get(feature.kind, "")
    measure = f"{MEASURES[feature.method]} {drift.effect:.2f}, threshold {drift.threshold:.2f}"
    return [*bullet(f"{feature.name}: {statistic}{values}"), *paragraph(f"({measure})", 4)]


def _value(kind: Kind, value: float | dict[str, float]) -> str:
    if isinstance(value, dict):
        frequent = sorted(value.items(), key=lambda item: -item[1])[:MAX_SHARES]
        return ", ".join(f"{share:.0%} {label}" for label, share in frequent if share >= MIN_SHARE)
    match kind:
        case "length":
            return f"{value:,.0f}"
        case "number":
            return f"{value:.2f}"
        case "flag" | "text":
            return f"{value:.0%}"
        case _:
            return f"{value:.1%}"
