"""Which component reaches its limit first at 10, 1,000 and 100,000 predictions per second, and the cost.

`python -m benchmarks.scale` prints two tables of `benchmarks.scale.capacity`, writes
artifacts/bench/scale.json and plots docs/images/scale.png. `--measure` first measures the size of a
prediction (benchmarks/scale/volumes.py).
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.scale.capacity import describe, limits
from cdk.environments import ENVIRONMENTS, Environment

RATES = (10, 1_000, 100_000)
RESULT, VOLUMES = Path("artifacts/bench/scale.json"), Path("artifacts/bench/volumes.json")
PLOT = Path("docs/images/scale.png")
COST_LINES = {
    "dollars_api": "HTTP API",
    "dollars_logs": "logs",
    "dollars_inference": "inference",
    "dollars_month_of_rows_in_postgres": "a month of rows in Postgres",
    "dollars_month_of_rows_in_s3": "a month of rows in S3",
}


def limit_table(environment: Environment) -> Table:
    """Return the table of limits, the lowest first."""
    rows = Table(title=f"Limits ({environment.name}, default quotas)")
    rows.add_column("component")
    rows.add_column("predictions/s", justify="right")
    rows.add_column("what to do")
    for limit in limits(environment):
        rows.add_row(limit.component, f"{limit.rate:,.0f}", limit.remedy)
    return rows


def rate_table(described: list[dict[str, float | None]]) -> Table:
    """Return the table with one column per rate."""
    rows = Table("", title="By predictions per second")
    for each in described:
        rows.add_column(f"{each['rate']:,.0f}", justify="right")
    for name in list(described[0])[1:]:
        rows.add_row(name.replace("_", " "), *(_cell(each[name]) for each in described))
    return rows


def plot(environment: Environment, path: Path) -> None:
    """Plot the limit of each component, and dollars per month by rate, side by side."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(14, 4.8))
    found = limits(environment)[::-1]
    left.barh(
        [limit.component for limit in found], [limit.rate for limit in found], color="tab:blue", height=0.6
    )
    for rate in RATES:
        left.axvline(rate, color="tab:red", linestyle="--", linewidth=1)
    left.set(xscale="log", xlim=(1, 1e6), xlabel="predictions per second", title="limits")
    rates = [10 ** (step / 8) for step in range(41)]
    described = [describe(environment, rate) for rate in rates]
    whole = [(each["dollars_idle"] or 0) + (each["dollars_predictions"] or 0) for each in described]
    right.loglog(rates, whole, linewidth=3, label="total without storage")
    for key, label in COST_LINES.items():
        right.loglog(rates, [each[key] or 0 for each in described], label=label)
    right.set(xlabel="predictions per second", title="dollars per month", ylim=(1, None))
    right.grid(alpha=0.3)
    right.legend()
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def _cell(value: float | None) -> str:
    if value is None:
        return "never"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def main() -> None:
    """Measure if requested, then compute, print, write and plot."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--env", default="prod", choices=sorted(ENVIRONMENTS))
    parser.add_argument(
        "--measure", action="store_true", help="measure the size of a prediction first (a minute)"
    )
    options = parser.parse_args()
    environment, console = ENVIRONMENTS[options.env], Console(width=max(110, Console().width))
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    if options.measure:
        from benchmarks.scale.volumes import measure_volumes

        volumes = measure_volumes()
        VOLUMES.write_text(json.dumps(volumes, indent=2) + "\n")
        console.print(volumes)
    described = [describe(environment, rate) for rate in RATES]
    console.print(limit_table(environment))
    console.print(rate_table(described))
    found = {"environment": options.env, "limits": [asdict(limit) for limit in limits(environment)]}
    RESULT.write_text(json.dumps(found | {"rates": described}, indent=2) + "\n")
    plot(environment, PLOT)


if __name__ == "__main__":
    main()
