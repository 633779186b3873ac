"""The terminal view of the demo's report, which `local.demo.report` makes."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from local.demo.drift_view import render_drift

WIDTH = 110


def print_report(report: Mapping[str, Any], console: Console, *, svg: Path, json_path: Path) -> None:
    """Print the report, and write the same as an SVG image."""
    panel = _panel(report, json_path)
    console.print(panel)
    recorder = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    recorder.print(panel)
    recorder.save_svg(str(svg), title="make demo")


def _panel(report: Mapping[str, Any], json_path: Path) -> RenderableType:
    passed = all(report["checks"].values())
    next_steps = Text.from_markup(
        f"Next: [bold]sentiment up[/] serves the model on http://localhost:8000/docs; "
        f"[bold]sentiment train --data your.csv[/] trains on your data. Logs are in "
        f"{_relative(report['state_folder'])}/logs, all metrics in {json_path}."
    )
    return Panel(
        Group(
            _metrics(report),
            _stored(report),
            _explanation(report),
            render_drift(report["drift"]),
            _durations(report),
            _checks(report),
            next_steps,
        ),
        title=f"{'✓' if passed else '✗'} serverless-sentiment: trained, quantized, served, stored, monitored",
        border_style="green" if passed else "red",
        padding=(1, 2),
    )


def _metrics(report: Mapping[str, Any]) -> Table:
    model, accuracy, latency = report["model"], report["accuracy"], report["latency_ms"]
    runtime, stored = report["lambda"], report["stored"]
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column()
    origin = "reused, up to date" if model["reused"] else "trained now"
    table.add_row(
        "model",
        f"{model['version']} ({origin}): {model['train_rows']:,} reviews of {model['data']}, "
        f"{model['training_seconds']:.0f} s of training, {model['max_length']} tokens {model['truncation']}",
    )
    low, high = accuracy["int8_ci95"] or (None, None)
    interval = f" (95% interval {low:.1%} to {high:.1%})" if low is not None else ""
    table.add_row(
        "accuracy",
        f"int8 {accuracy['int8']:.1%}{interval}, fp32 {accuracy['fp32']:.1%}, flipped decisions "
        f"{accuracy['flipped']:.1%}, on {accuracy['rows']:,} held-out reviews",
    )
    table.add_row(
        "live", f"{accuracy['live']:.1%} accuracy on the {accuracy['live_rows']} reviews sent in this run"
    )
    table.add_row(
        "latency",
        f"p50 {latency['p50']:.0f} ms, p95 {latency['p95']:.0f} ms, p99 {latency['p99']:.0f} ms "
        f"through the whole handler; batch of {latency['batch_texts']} {latency['batch']:,.0f} ms; "
        f"explanation {latency['explain']:.0f} ms",
    )
    memory = f", at most {runtime['peak_memory_mb']:.0f} MB" if runtime["peak_memory_mb"] else ""
    kind = (
        "Lambda runtime under AWS's emulator"
        if runtime["runtime"] == "emulator"
        else "no emulator, in process"
    )
    table.add_row("Lambda", f"cold start {runtime['cold_start_ms'] / 1000:.2f} s{memory} ({kind})")
    table.add_row(
        "stored",
        f"{stored['predictions']} of {stored['served']} predictions and {stored['feedback']} of "
        f"{stored['feedback_given']} feedbacks in Postgres, {stored['still_queued']} left in the queue",
    )
    return table


def _stored(report: Mapping[str, Any]) -> Table:
    table = Table(title="prediction_logs, as stored", title_justify="left", expand=True)
    for name in ("id", "text", "sentiment", "confidence", "label", "feedback", "ms"):
        table.add_column(name, no_wrap=True, overflow="ellipsis", ratio=5 if name == "text" else None)
    for row in report["stored"]["sample"]:
        right = row["sentiment"] == row["label"]
        table.add_row(
            f"…{row['id'][-6:]}",
            Text(row["text"]),
            Text(row["sentiment"], style="green" if right else "red"),
            f"{row['confidence']:.3f}",
            row["label"],
            row["feedback"] or "",
            f"{row['inference_time_ms']:.0f}",
        )
    return table


def _explanation(report: Mapping[str, Any]) -> Text:
    """Color each word by its weight in the decision."""
    explained = report["explained"]
    text = Text("explanation ", style="bold").append(f"({explained['sentiment']}) ", style="dim")
    body = Text(explained["text"], style="not bold")
    largest = max((abs(word["weight"]) for word in explained["words"]), default=1.0) or 1.0
    for word in explained["words"]:
        share = word["weight"] / largest
        if abs(share) > 0.1:
            style = f"{'bold ' if abs(share) > 0.5 else ''}{'green' if share > 0 else 'red'}"
            body.stylize(style, word["start"], word["end"])
    return text.append_text(body).append("\n")


def _durations(report: Mapping[str, Any]) -> Text:
    parts = [f"{name} {seconds:.1f} s" for name, seconds in report["seconds"].items()]
    return Text(f"took {sum(report['seconds'].values()):.0f} s: {', '.join(parts)}\n", style="dim")


def _checks(report: Mapping[str, Any]) -> Text:
    text = Text()
    for name, passed in report["checks"].items():
        text.append(f"{'✓' if passed else '✗'} {name}\n", style="green" if passed else "bold red")
    return text


def _relative(folder: str) -> Path:
    """Return a path relative to the current folder, if it is inside."""
    path = Path(folder)
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
