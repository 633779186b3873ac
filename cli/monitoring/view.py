"""The terminal view of `sentiment monitor`: a snapshot as a panel that fits 80 columns."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from cli.monitoring.snapshot import Snapshot
from local.drift_summary import summarize_verdicts

BARS = " ▁▂▃▄▅▆▇█"
STYLES = {"calm": "green", "info": "dim", "warning": "yellow", "critical": "red", "unreachable": "red"}
SHOWN_ALERTS = 8


def render(snapshot: Snapshot | None, *, error: str | None = None) -> RenderableType:
    """Return the panel of a snapshot; an error is shown above the last snapshot."""
    status = "unreachable" if error else snapshot.status if snapshot else "calm"
    parts: list[RenderableType] = []
    if error:
        parts.append(Text(f"{error}; retrying\n", style="bold red"))
    if snapshot is not None:
        parts += [_metrics(snapshot), *_alerts(snapshot.alerts)]
    source = f"{snapshot.source}, {snapshot.at:%H:%M:%S} UTC" if snapshot else "no data yet"
    return Panel(Group(*parts), title=f"{status} · {source}", border_style=STYLES[status], padding=(0, 1))


def sparkline(values: Sequence[float]) -> str:
    """Return values as bars relative to the largest; only 0 is blank."""
    largest = max(values, default=0) or 1
    steps = len(BARS) - 1
    return "".join(BARS[max(round(value / largest * steps), int(value > 0))] for value in values)


def _metrics(snapshot: Snapshot) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _rows(snapshot):
        table.add_row(name, Text(value))
    return table


def _rows(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    summary = snapshot.summary
    since, until = (datetime.fromisoformat(summary[name]) for name in ("since", "until"))
    hours = (until - since).total_seconds() / 3600
    bars = sparkline([span["predictions"] for span in summary["over_time"]])
    yield "traffic", f"{summary['predictions']:,} predictions in {hours:g} h  |{bars}|"
    yield "errors", _errors(summary["requests"])
    latency = summary["inference_time_ms"]
    percentiles = [f"{name} {value:.1f}" for name, value in latency.items() if value is not None]
    yield "latency", f"{', '.join(percentiles)} ms" if percentiles else "none yet"
    yield "mix", _mix(summary["by_sentiment"]) or "none yet"
    histogram, mean = summary["confidence"]["histogram"], summary["confidence"]["mean"]
    bars = sparkline([bin_["predictions"] for bin_ in histogram])
    yield "confidence", "none yet" if mean is None else f"0 |{bars}| 1, mean {mean:.2f}"
    yield "texts", _texts(summary)
    yield "accuracy", _accuracy(snapshot)
    if snapshot.queue is not None:
        dead = snapshot.queue.get("dead_letters")
        dead_letters = "" if dead is None else f", {dead:,} dead letters"
        yield "queue", f"{snapshot.queue['waiting']:,} messages waiting{dead_letters}"
    yield "drift", _drift(snapshot.drift)


def _errors(requests: Mapping[str, Any] | None) -> str:
    if requests is None:
        return "not counted yet"
    counted, client, server = (requests[name] for name in ("counted", "client_errors", "server_errors"))
    if not counted:
        return "no requests"
    return f"{server / counted:.1%} 5xx, {client / counted:.1%} 4xx, of {counted:,} requests"


def _mix(counts: Mapping[str, int]) -> str:
    total = sum(counts.values())
    return ", ".join(f"{label} {count / total:.0%}" for label, count in sorted(counts.items()))


def _texts(summary: Mapping[str, Any]) -> str:
    truncated, novelty = summary["truncated_share"], summary["novelty"]["mean"]
    parts = [] if truncated is None else [f"{truncated:.0%} truncated"]
    parts += [] if novelty is None else [f"mean novelty {novelty:.2f} (about 1 is familiar)"]
    return ", ".join(parts) or "none yet"


def _accuracy(snapshot: Snapshot) -> str:
    labeled, estimate = snapshot.performance["labeled"], snapshot.estimate
    measured = (
        f"{labeled['accuracy']:.1%} on {labeled['labels']:,} labels ({_interval(labeled)})"
        if labeled["accuracy"] is not None
        else "no labels"
    )
    estimated = f"{estimate['accuracy']:.1%} estimated ({_interval(estimate)})" if estimate else "no estimate"
    return f"{measured}, {estimated}"


def _interval(accuracy: Mapping[str, float]) -> str:
    return f"{accuracy['low']:.1%} to {accuracy['high']:.1%}"


def _drift(run: Mapping[str, Any] | None) -> str:
    if run is None:
        return "no run yet"
    return f"{summarize_verdicts(run)}, window up to {_minute(run['until'])}"


def _alerts(alerts: Sequence[Mapping[str, Any]]) -> Iterator[RenderableType]:
    if not alerts:
        yield Text("\nno open alerts", style="green")
        return
    table = Table(title="open alerts", title_justify="left", expand=True, box=None, padding=(0, 1))
    for name in ("severity", "since (UTC)", "message"):
        table.add_column(name, overflow="fold", no_wrap=name != "message")
    for alert in alerts[:SHOWN_ALERTS]:
        severity = Text(alert["severity"], style=STYLES[alert["severity"]])
        table.add_row(severity, _minute(alert["raised_at"]), Text(alert["message"]))
    yield Text()
    yield table
    if len(alerts) > SHOWN_ALERTS:
        yield Text(f"and {len(alerts) - SHOWN_ALERTS} more", style="dim")


def _minute(instant: str) -> str:
    return f"{datetime.fromisoformat(instant):%Y-%m-%d %H:%M}"
