"""`sentiment cost`: the cost of an environment, idle and in use. Works offline; cdk/costs holds the model."""

import dataclasses
import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cdk.costs.idle import STRATEGIES, idle_costs, monthly
from cdk.costs.price_list import price, table
from cdk.costs.usage import Inference, cost_per_million, total
from cdk.environments import ENVIRONMENTS, Environment

MEASURED = Inference()


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        epilog="Examples: [bold]sentiment cost[/] | [bold]sentiment cost --env prod --requests 1e6[/] | "
        "[bold]sentiment cost --env prod --duration-ms 40 --json[/]"
    )(cost)


def cost(
    env: Annotated[str, typer.Option(help=f"One of {', '.join(ENVIRONMENTS)}.")] = "dev",
    requests: Annotated[float, typer.Option(min=0, help="Predictions per month, such as 1e6.")] = 1e6,
    duration_ms: Annotated[
        float,
        typer.Option(min=0, help="One prediction; measured at 128 tokens, docs/results.md."),
    ] = MEASURED.duration_ms,
    init_ms: Annotated[
        float, typer.Option(min=0, help="One cold start; measured, docs/results.md.")
    ] = MEASURED.init_ms,
    cold_share: Annotated[
        float, typer.Option(min=0, max=1, help="Share of requests with a cold start; assumed.")
    ] = MEASURED.cold_share,
    memory_mb: Annotated[
        int | None,
        typer.Option(min=128, max=10240, help="Of the api function.", show_default="the environment's"),
    ] = None,
    sources: Annotated[bool, typer.Option("--sources", help="List the prices with their sources.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the cost of an environment: idle, per million predictions, and per month, by start strategy."""
    if env not in ENVIRONMENTS:
        raise typer.BadParameter(f"{env!r}: choose one of {', '.join(ENVIRONMENTS)}", param_hint="--env")
    environment = ENVIRONMENTS[env]
    if memory_mb:
        environment = dataclasses.replace(environment, api_memory_mb=memory_mb)
    inference = Inference(duration_ms=duration_ms, init_ms=init_ms, cold_share=cold_share)
    if as_json:
        print(json.dumps(_as_json(environment, requests, inference), indent=2))
        return
    console = Console(highlight=False)
    console.print(_idle_table(environment))
    console.print(_usage_table(environment, requests, inference))
    console.print(_month_table(environment, requests, inference))
    if sources:
        console.print(_source_table(environment))
    console.print(_assumptions(environment, requests, inference), markup=False)


def _variants(environment: Environment) -> list[Environment]:
    return [dataclasses.replace(environment, start=strategy) for strategy in STRATEGIES]


def _idle_table(environment: Environment) -> Table:
    lines = idle_costs(environment)
    rows = Table(
        "item", "why", title=f"{environment.name}: idle, dollars per month ({environment.start} start)"
    )
    rows.add_column("$/month", justify="right")
    for line in lines:
        rows.add_row(line.item, line.why, f"{line.dollars:.2f}")
    rows.add_section()
    rows.add_row("total", "", f"{total(lines):.2f}", style="bold")
    return rows


def _usage_table(environment: Environment, requests: float, inference: Inference) -> Table:
    rows = Table("item", title=f"{environment.name}: dollars per million predictions")
    bills = [
        {line.item: line for line in cost_per_million(variant, inference, requests=requests)}
        for variant in _variants(environment)
    ]
    for strategy in STRATEGIES:
        rows.add_column(strategy, justify="right")
    rows.add_column("why")
    for item in dict.fromkeys(item for bill in bills for item in bill):
        cells = [f"{bill[item].dollars:.2f}" if item in bill else "-" for bill in bills]
        rows.add_row(item, *cells, next(bill[item].why for bill in bills if item in bill))
    rows.add_section()
    sums = [f"{total(list(bill.values())):.2f}" for bill in bills]
    rows.add_row("total", *sums, "", style="bold")
    return rows


def _month_table(environment: Environment, requests: float, inference: Inference) -> Table:
    rows = Table("start", title=f"{environment.name}: dollars for a month with {requests:,.0f} predictions")
    for column in ("idle", "metrics", "predictions", "total"):
        rows.add_column(column, justify="right")
    for month in monthly(environment, requests, inference).values():
        configured = month.strategy == environment.start
        predictions = month.total - month.idle - month.metrics
        cells = (month.idle, month.metrics, predictions, month.total)
        name = f"{month.strategy}, as configured" if configured else month.strategy
        rows.add_row(name, *(f"{dollars:.2f}" for dollars in cells), style="bold" if configured else None)
    return rows


def _source_table(environment: Environment) -> Table:
    rows = Table("price", "$", "unit", "confidence", "source", title=f"Prices of {table()['dated']}")
    for name in table()["prices"]:
        entry = price(name, environment.region)
        rows.add_row(name, f"{entry.dollars:.10g}", entry.unit, entry.confidence, entry.source)
    return rows


def _assumptions(environment: Environment, requests: float, inference: Inference) -> str:
    prices = [price(name, environment.region) for name in table()["prices"]]
    recalled = sum(entry.confidence == "recalled" for entry in prices)
    return (
        f"A prediction takes {inference.duration_ms:g} ms and a cold start {inference.init_ms:g} ms, measured"
        f" on two Xeon cores; change them with --duration-ms and --init-ms. {inference.cold_share:.1%} of"
        f" requests start cold (assumed, --cold-share). {requests:,.0f} requests per month arrive evenly,"
        f" without CloudFront.\nPrices of {table()['dated']} in {prices[0].region}: {table()['currency']}."
        f" {recalled} of {len(prices)} are from memory (marked in --sources): check them before you budget."
    )


def _as_json(environment: Environment, requests: float, inference: Inference) -> dict[str, Any]:
    return {
        "environment": environment.name,
        "region": price("lambda.request", environment.region).region,
        "prices_dated": table()["dated"],
        "requests": requests,
        "start": environment.start,
        "assumptions": dataclasses.asdict(inference) | {"memory_mb": environment.api_memory_mb},
        "idle": {
            variant.start: [dataclasses.asdict(line) for line in idle_costs(variant)]
            for variant in _variants(environment)
        },
        "per_million": {
            variant.start: [
                dataclasses.asdict(line) for line in cost_per_million(variant, inference, requests=requests)
            ]
            for variant in _variants(environment)
        },
        "month": {
            strategy: dataclasses.asdict(month)
            for strategy, month in monthly(environment, requests, inference).items()
        },
    }
