"""The drift part of the demo's terminal report: the runs, and the first alert."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from local.stand_ins.slack import render_message

COMPRESSED = "time is compressed: the traffic of an hour is sent within seconds, and then that hour is judged"


def render_drift(drift: Mapping[str, Any]) -> RenderableType:
    """Return the runs as a table, and the first alert as sent to Slack and by email."""
    parts: list[RenderableType] = [_runs(drift["runs"]), Text(f"{COMPRESSED}\n", style="dim")]
    if drift["slack"]:
        parts.append(render_message(drift["slack"][0]))
    if drift["mails"]:
        parts.append(Panel(Text(drift["mails"][0].strip()), title="Email", border_style="white"))
    if more := max(len(drift["mails"]), len(drift["slack"])) - 1:
        parts.append(Text(f"and {more} more, in report.json", style="dim"))
    if drift["page"]:
        parts.append(Text(f"Drift report with all distributions: {drift['page']}\n"))
    return Group(*parts)


def _runs(runs: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(title="drift monitor", title_justify="left", expand=True)
    for name in ("traffic", "rows", "verdict", "score", "largest change", "s"):
        table.add_column(name, justify="right" if name in ("rows", "score", "s") else "left")
    for run in runs:
        seconds = f"{run['seconds']:.0f}"
        if "reason" in run:
            table.add_row(run["what"], "", Text(f"no verdict: {run['reason']}", style="red"), "", "", seconds)
            continue
        verdict = ", ".join(run["drifted"]).replace("_", " ") or "calm"
        style = "yellow" if run["drifted"] else "green"
        score, change = f"{run['score']:.2f}", _change(run["most"])
        table.add_row(run["what"], f"{run['rows']:,}", Text(verdict, style=style), score, change, seconds)
    return table


def _change(feature: Mapping[str, Any]) -> str:
    reference, current = (_format(feature[name]) for name in ("reference", "current"))
    return f"{feature['feature']} {reference} → {current}"


def _format(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{share:.0%} {label}" for label, share in value.items())
    return f"{value:,.0f}" if abs(value) >= 10 else f"{value:.2f}"
