"""Turns a verdict into a message that a person can act on without opening anything else."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from functions.drift_monitor.alerts import Finding, Severity
from functions.drift_monitor.comparison import Shift, Verdict

SIDES = {"data_drift": "input", "prediction_drift": "output"}
TITLES = {"data_drift": "Data drift", "prediction_drift": "Prediction drift"}
# In units of the threshold. Two normal distributions ten times 0.2 standard deviations apart share less than
# a third of their area: hardly anything arrives that looks as before.
SEVERE = 10.0
MEASURES = {
    "psi": "PSI",
    "jensenshannon": "Jensen-Shannon distance",
    "wasserstein": "Wasserstein distance in standard deviations",
    "auc": "AUC of telling its texts from the reference's",
}


@dataclass(frozen=True)
class Circumstances:
    """What was compared, for the record and for the reader."""

    model_version: str
    mlflow_run_id: str | None
    since: datetime
    until: datetime
    rows: int  # that the window holds of this model version
    compared: int  # of them; fewer when the window was sampled
    other_versions: dict[str, int]
    not_compared: tuple[str, ...]  # features that the stored rows do not give
    report_uri: str | None
    retraining: str | None

    def figures(self) -> dict[str, Any]:
        """Return what is stored of it."""
        times = {"since": self.since.isoformat(), "until": self.until.isoformat()}
        return {**asdict(self), **times}

    def lines(self) -> list[str]:
        """Return it as lines of a message."""
        sampled = f", compared by a sample of {self.compared:,}" if self.compared < self.rows else ""
        others = "".join(f"; {rows:,} more by {version}" for version, rows in self.other_versions.items())
        run = f" (MLflow run {self.mlflow_run_id})" if self.mlflow_run_id else ""
        left_out = f"Not compared, as the reference or the stored predictions lack it: {', '.join(self.not_compared)}"
        lines = [
            f"Predictions: {self.rows:,}{sampled}{others}",
            f"Window: {self.since:%Y-%m-%d %H:%M} to {self.until:%Y-%m-%d %H:%M} UTC",
            f"Model: {self.model_version}{run}",
            *([left_out] if self.not_compared else []),
            f"Report: {self.report_uri or 'could not be stored; see the other alert'}",
        ]
        return lines + ([f"Retraining: {self.retraining}"] if self.retraining else [])


def drift_finding(
    verdict: Verdict, circumstances: Circumstances, runbook_url: str, *, lasts: bool
) -> Finding:
    """Say what moved, from where to where, over how many predictions, and where to read on.

    What does not last (yet) is for the record only.
    """
    count, total = len(verdict.moved), len(verdict.shifts)
    side = SIDES[verdict.name]
    message = (
        f"{TITLES[verdict.name]}: {count} of {total} {side} features moved, most of all "
        f"{verdict.shifts[0].feature.name}"
    )
    calm = ", ".join(shift.feature.name for shift in verdict.shifts if shift not in verdict.moved)
    body = [
        "What moved, from the reference to this window:",
        *(f"- {_describe(shift)}" for shift in verdict.moved),
        *([f"What did not: {calm}"] if calm else []),
        "",
        *circumstances.lines(),
        f"What to do: {runbook_url}#drift",
    ]
    details = {**circumstances.figures(), **verdict.figures()}
    return Finding(
        kind=verdict.name,
        cause=circumstances.model_version,
        severity=_severity(verdict) if lasts else "info",
        message=message,
        body="\n".join(body),
        details=details,
        model_version=circumstances.model_version,
    )


def _severity(verdict: Verdict) -> Severity:
    return "critical" if verdict.shifts[0].strength >= SEVERE else "warning"


def _describe(shift: Shift) -> str:
    reference, current = (_value(shift, value) for value in (shift.reference, shift.current))
    measure = MEASURES[shift.feature.method]
    return (
        f"{shift.feature.name}: {reference} -> {current} "
        f"({measure} {shift.effect:.2f}, threshold {shift.threshold:.2f})"
    )


def _value(shift: Shift, value: float | dict[str, float]) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{share:.0%} {label}" for label, share in value.items())
    match shift.feature.kind:
        case "flag":
            return f"{value:.0%}"
        case "rate":
            return f"{value:.2%}"
        case "length":
            return f"median {value:,.0f}"
        case _:
            return f"mean {value:.2f}"
