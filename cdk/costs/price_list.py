"""The dated price table in prices.json, read once: what a unit costs where, who says so, how sure that is.

AWS is never asked: a synth works offline, and a figure in a review must not change by itself. Refresh the
table by hand and date it.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

TABLE = Path(__file__).parent / "prices.json"


@dataclass(frozen=True)
class Price:
    """Dollars for one unit; `region` is the one the figure is of, the table's default for those it lacks."""

    name: str
    dollars: float
    unit: str
    region: str
    source: str
    confidence: Literal["checked", "recalled"]


@cache
def table() -> dict[str, Any]:
    """Return the whole table, with its date and what its confidences mean."""
    content: dict[str, Any] = json.loads(TABLE.read_text())
    return content


def price(name: str, region: str) -> Price:
    """Return the price of this name; raises ValueError when the table lacks it."""
    prices = table()["prices"]
    if name not in prices:
        group = name.split(".")[0]
        known = ", ".join(other for other in prices if other.startswith(group)) or "none like it"
        raise ValueError(f"{TABLE.name} has no price {name!r}; add it with its source. It has {known}")
    entry = prices[name]
    found = region if region in entry else table()["default_region"]
    return Price(name, entry[found], entry["unit"], found, entry["source"], entry["confidence"][found])


def hourly_price(instance_type: str, region: str = "eu-central-1", *, spot: bool = False) -> float:
    """Return dollars an hour of one SageMaker training instance such as `ml.g5.xlarge`.

    Spot is assumed to cost the table's share of on demand; AWS promises no share. Raises ValueError for a
    type that the table lacks.
    """
    dollars = price(f"sagemaker.training.{instance_type}", region).dollars
    return dollars * price("sagemaker.spot_share", region).dollars if spot else dollars
