"""How `sentiment monitor` looks: one snapshot as a panel that fits 80 columns."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from cli.snapshot import Snapshot
from local.stand_ins.verdicts import in_words

BARS = " ▁▂▃▄▅▆▇█"
STYLES = {"calm": "green", "info": "dim", "warning": "yellow", "critical": "red", "unreachable": "red"}
MOST_ALERTS = 8


def show(snapshot: Snapshot | None, *, problem: str | None = None) -> RenderableType:
    """Show the snapshot; with a problem, what keeps a newer one from being taken, above the last."""
    status = "unreachable" if problem else snapshot.status if snapshot else "calm"
    parts: list[RenderableType] = []
    if problem:
        parts.append(Text(f"{problem}; asked again and again\n", style="bold red"))
    if snapshot is not None:
        parts += [_figures(snapshot), *_alerts(snapshot.alerts)]
    where = f"{snapshot.source}, {snapshot.at:%H:%M:%S} UTC" if snapshot else "not asked yet"
    return Panel(Group(*parts), title=f"{status} · {where}", border_style=STYLES[status], padding=(0, 1))


def sparkline(values: Sequence[float]) -> str:
    """Draw values as bars, each relative to the largest; only 0 is blank."""
    largest = max(values, default=0) or 1
    steps = len(BARS) - 1
    return "".join(BARS[max(round(value / largest * steps), int(value > 0))] for value in values)


def _figures(snapshot: Snapshot) -> Table:
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
    known = [f"{name} {value:.1f}" for name, value in latency.items() if value is not None]
    yield "latency", f"{', '.join(known)} ms" if known else "none yet"
    yield "mix", _mix(summary["by_sentiment"]) or "none yet"
    histogram, mean = summary["confidence"]["histogram"], summary["confidence"]["mean"]
    bars = sparkline([bin_["predictions"] for bin_ in histogram])
    yield "confidence", "none yet" if mean is None else f"0 |{bars}| 1, {mean:.2f} on average"
    yield "texts", _texts(summary)
    yield "accuracy", _accuracy(snapshot)
    if snapshot.queue is not None:
        dead = snapshot.queue.get("dead_letters")
        letters = "" if dead is None else f", {dead:,} dead letters"
        yield "queue", f"{snapshot.queue['waiting']:,} messages wait{letters}"
    yield "drift", _drift(snapshot.drift)


def _errors(requests: Mapping[str, Any] | None) -> str:
    if requests is None:
        return "not counted yet"
    counted, client, server = (requests[name] for name in ("counted", "client_errors", "server_errors"))
    if not counted:
        return "no requests"
    return f"{server / counted:.1%} answered 5xx, {client / counted:.1%} 4xx, of {counted:,} requests"


def _mix(counts: Mapping[str, int]) -> str:
    total = sum(counts.values())
    return ", ".join(f"{label} {count / total:.0%}" for label, count in sorted(counts.items()))


def _texts(summary: Mapping[str, Any]) -> str:
    truncated, novelty = summary["truncated_share"], summary["novelty"]["mean"]
    parts = [] if truncated is None else [f"{truncated:.0%} read in part"]
    parts += [] if novelty is None else [f"novelty {novelty:.2f} on average (about 1 is familiar)"]
    return ", ".join(parts) or "none yet"


def _accuracy(snapshot: Snapshot) -> str:
    labelled, estimate = snapshot.performance["labelled"], snapshot.estimate
    by_labels = (
        f"{labelled['accuracy']:.1%} by {labelled['labels']:,} labels ({_interval(labelled)})"
        if labelled["accuracy"] is not None
        else "no labels"
    )
    without = f"{estimate['accuracy']:.1%} estimated without ({_interval(estimate)})" if estimate else ""
    return f"{by_labels}, {without or 'no estimate without'}"


def _interval(figures: Mapping[str, float]) -> str:
    return f"{figures['low']:.1%} to {figures['high']:.1%}"


def _drift(run: Mapping[str, Any] | None) -> str:
    if run is None:
        return "no run yet"
    return f"{in_words(run)}, window up to {_minute(run['until'])}"


def _alerts(alerts: Sequence[Mapping[str, Any]]) -> Iterator[RenderableType]:
    if not alerts:
        yield Text("\nno open alerts", style="green")
        return
    table = Table(title="open alerts", title_justify="left", expand=True, box=None, padding=(0, 1))
    for name in ("severity", "since (UTC)", "what"):
        table.add_column(name, overflow="fold", no_wrap=name != "what")
    for alert in alerts[:MOST_ALERTS]:
        severity = Text(alert["severity"], style=STYLES[alert["severity"]])
        table.add_row(severity, _minute(alert["raised_at"]), Text(alert["message"]))
    yield Text()
    yield table
    if len(alerts) > MOST_ALERTS:
        yield Text(f"and {len(alerts) - MOST_ALERTS} more", style="dim")


def _minute(instant: str) -> str:
    return f"{datetime.fromisoformat(instant):%Y-%m-%d %H:%M}"
