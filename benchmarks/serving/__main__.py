"""Compares the speed of the served model with other runtimes: `python -m benchmarks.serving`.

Measures latency of one request at 16 to 512 tokens on one thread, cold start (new process to first
prediction) and installed size. Prints tables, writes artifacts/bench/serving.json and plots
artifacts/bench/serving.png. All contenders run interleaved because a machine's speed varies: compare the
ratios. The weights are not fine-tuned, which does not affect speed.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.serving.installed_size import installed_mb
from benchmarks.serving.latency import TOKENS
from benchmarks.serving.models import MODELS, Built, build
from benchmarks.serving.queue_stub import start_queue_stub

ROOT = Path(__file__).parents[2]
OURS, EAGER = "our whole handler (int8)", "transformers pipeline"
Samples = dict[str, dict[str, list[float]]]


def measure_latency(built: Built, queue_url: str, rounds: int) -> Samples:
    """Run `benchmarks.serving.latency` in its own process; returns milliseconds by contender and tokens."""
    arguments = ["--checkpoint", built.checkpoint, "--artifact", built.artifact]
    arguments += ["--queue-url", queue_url, "--rounds", rounds]
    samples: Samples = _run("benchmarks.serving.latency", arguments)
    return samples


def measure_cold_starts(built: Built, queue_url: str, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Start each contender `rounds` times, in turn; returns wall and CPU seconds to the first prediction."""
    paths = {
        "handler": built.artifact,
        "transformers + torch": built.checkpoint,
        "optimum ORTModel": built.onnx,
    }
    starts: dict[str, dict[str, list[float]]] = {}
    for turn in range(rounds + 1):
        for name, path in paths.items():
            seconds_by_clock = _run("benchmarks.serving.cold_start", [name, path], BENCH_QUEUE_URL=queue_url)
            if turn:  # the first only fills the disk cache
                for clock, seconds in seconds_by_clock.items():
                    starts.setdefault(name, {}).setdefault(clock, []).append(seconds)
    return starts


def installed_sizes() -> dict[str, float]:
    """Return the megabytes on disk of the packages that each contender needs."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    ours = [entry for group in ("shared", "api") for entry in groups[group] if isinstance(entry, str)]
    return {
        "handler": installed_mb(ours),
        "transformers + torch": installed_mb(["transformers", "torch"]),
        "optimum ORTModel": installed_mb(["optimum-onnx", "onnxruntime"]),
        "CTranslate2": installed_mb(["ctranslate2", "tokenizers"]),
    }


def latency_table(model: str, samples: Samples) -> Table:
    """Return a table of medians in ms, with the speed-up over the transformers pipeline in parentheses."""
    table = Table(title=f"{model}: one request, one thread, median ms (times faster than the pipeline)")
    table.add_column("contender")
    for tokens in TOKENS:
        table.add_column(f"{tokens} tokens", justify="right")
    for name, by_tokens in samples.items():
        cells = []
        for tokens in TOKENS:
            took = median(by_tokens[str(tokens)])
            cells.append(f"{took:.1f} ({median(samples[EAGER][str(tokens)]) / took:.2f}x)")
        table.add_row(name, *cells, style="bold" if name == OURS else None)
    return table


def cold_start_table(starts: dict[str, dict[str, list[float]]], sizes: dict[str, float]) -> Table:
    """Return a table of cold starts and installed sizes."""
    table = Table(title="New process to first prediction, and installed size (embedded model)")
    for column in ("contender", "wall s", "CPU s", "times our wall", "installed MB"):
        table.add_column(column, justify="left" if column == "contender" else "right")
    ours = median(starts["handler"]["wall_seconds"])
    for name in sizes:
        took = starts.get(name)
        wall = median(took["wall_seconds"]) if took else None
        table.add_row(
            name,
            f"{wall:.2f}" if wall else "-",
            f"{median(took['cpu_seconds']):.2f}" if took else "-",
            f"{wall / ours:.1f}x" if wall else "-",
            f"{sizes[name]:.0f}",
        )
    return table


def draw(latencies: dict[str, Samples], path: Path) -> None:
    """Plot latency over length, one panel per model and one line per contender."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot, ticker

    figure, panels = pyplot.subplots(1, len(latencies), figsize=(12, 4.5))
    for panel, (model, samples) in zip(panels, latencies.items(), strict=True):
        for name, by_tokens in samples.items():
            medians = [median(by_tokens[str(tokens)]) for tokens in TOKENS]
            panel.plot(TOKENS, medians, marker="o", linewidth=3 if name == OURS else 1.5, label=name)
        panel.set(
            title=model, xlabel="tokens", ylabel="median ms for one request", xscale="log", yscale="log"
        )
        panel.set_xticks(TOKENS, [str(tokens) for tokens in TOKENS])
        panel.xaxis.set_minor_locator(ticker.NullLocator())
        panel.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
        panel.grid(alpha=0.3)
    panels[0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=150)


def _run(module: str, arguments: list[Any], **environment: str) -> Any:
    # One thread for everything that uses OpenMP; the contenders set their own as well.
    single = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    command = [sys.executable, "-W", "ignore", "-m", module, *map(str, arguments)]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | single | environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{module} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure, print, write and plot."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=15, help="timed texts per length (default 15)")
    parser.add_argument("--cold-starts", type=int, default=5, help="new processes per contender (default 5)")
    options = parser.parse_args()
    console = Console(width=max(110, Console().width))
    target = ROOT / "artifacts" / "bench"
    target.mkdir(parents=True, exist_ok=True)
    queue_url = start_queue_stub()
    latencies: dict[str, Samples] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, name in enumerate(MODELS):
            with console.status(f"{name}: building"):
                built = build(name, Path(folder) / str(number))
            with console.status(f"{name}: {options.rounds} rounds of {len(TOKENS)} lengths"):
                latencies[name] = measure_latency(built, queue_url, options.rounds)
            console.print(latency_table(name, latencies[name]))
            if name == MODELS[0]:
                with console.status("cold starts"):
                    starts = measure_cold_starts(built, queue_url, options.cold_starts)
                    sizes = installed_sizes()
    console.print(cold_start_table(starts, sizes))
    report = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}",
        "latency_ms": latencies,
        "cold_start": starts,
        "installed_mb": sizes,
    }
    (target / "serving.json").write_text(json.dumps(report, indent=2) + "\n")
    draw(latencies, target / "serving.png")
    console.print(f"Wrote {target / 'serving.json'} and {target / 'serving.png'}")


if __name__ == "__main__":
    main()
