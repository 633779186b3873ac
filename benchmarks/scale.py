"""What breaks first at 10, 1,000 and 100,000 predictions a second, and what each costs a month.

`python -m benchmarks.scale` prints two tables of `benchmarks.capacity`, writes artifacts/bench/scale.json and
draws docs/images/scale.png. `--measure` weighs a prediction again first (benchmarks/volumes.py).
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.capacity import describe, limits
from cdk.environments import ENVIRONMENTS, Environment

RATES = (10, 1_000, 100_000)
RESULT, VOLUMES = Path("artifacts/bench/scale.json"), Path("artifacts/bench/volumes.json")
PLOT = Path("docs/images/scale.png")
PARTS = {
    "dollars_api": "HTTP API",
    "dollars_logs": "logs",
    "dollars_inference": "inference",
    "dollars_storing_a_month_of_rows": "a month of rows in Postgres",
    "dollars_the_same_in_s3": "a month of rows in S3",
}


def limit_table(environment: Environment) -> Table:
    """Lay out the limits, the first first."""
    rows = Table(title=f"What gives way first ({environment.name}, default quotas)")
    rows.add_column("part")
    rows.add_column("predictions/s", justify="right")
    rows.add_column("then")
    for limit in limits(environment):
        rows.add_row(limit.part, f"{limit.rate:,.0f}", limit.then)
    return rows


def rate_table(described: list[dict[str, float | None]]) -> Table:
    """Lay out the rates side by side."""
    rows = Table("", title="At so many predictions a second")
    for each in described:
        rows.add_column(f"{each['rate']:,.0f}", justify="right")
    for name in list(described[0])[1:]:
        rows.add_row(name.replace("_", " "), *(_cell(each[name]) for each in described))
    return rows


def draw(environment: Environment, path: Path) -> None:
    """Draw, side by side, where each part gives way and dollars a month over the rate."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(14, 4.8))
    found = limits(environment)[::-1]
    left.barh([limit.part for limit in found], [limit.rate for limit in found], color="tab:blue", height=0.6)
    for rate in RATES:
        left.axvline(rate, color="tab:red", linestyle="--", linewidth=1)
    left.set(xscale="log", xlim=(1, 1e6), xlabel="predictions a second", title="gives way at")
    rates = [10 ** (step / 8) for step in range(41)]
    described = [describe(environment, rate) for rate in rates]
    whole = [(each["dollars_idle"] or 0) + (each["dollars_predictions"] or 0) for each in described]
    right.loglog(rates, whole, linewidth=3, label="all, without storage")
    for part, label in PARTS.items():
        right.loglog(rates, [each[part] or 0 for each in described], label=label)
    right.set(xlabel="predictions a second", title="dollars a month", ylim=(1, None))
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
    """Measure if asked, then compute, print, write and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--env", default="prod", choices=sorted(ENVIRONMENTS))
    parser.add_argument("--measure", action="store_true", help="weigh a prediction again (a minute)")
    options = parser.parse_args()
    environment, console = ENVIRONMENTS[options.env], Console(width=max(110, Console().width))
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    if options.measure:
        from benchmarks.volumes import measure_volumes

        volumes = measure_volumes()
        VOLUMES.write_text(json.dumps(volumes, indent=2) + "\n")
        console.print(volumes)
    described = [describe(environment, rate) for rate in RATES]
    console.print(limit_table(environment))
    console.print(rate_table(described))
    found = {"environment": options.env, "limits": [asdict(limit) for limit in limits(environment)]}
    RESULT.write_text(json.dumps(found | {"rates": described}, indent=2) + "\n")
    draw(environment, PLOT)


if __name__ == "__main__":
    main()
