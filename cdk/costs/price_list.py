"""The dated price table in prices.json: price per unit and region, with source and confidence.

It is never fetched from AWS: synth works offline, and a figure in a review must not change by itself. Update
the table and its date by hand.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

TABLE = Path(__file__).parent / "prices.json"


@dataclass(frozen=True)
class Price:
    """Dollars per unit; `region` is where the price applies, the table's default if it lacks the region."""

    name: str
    dollars: float
    unit: str
    region: str
    source: str
    confidence: Literal["checked", "recalled"]


@cache
def table() -> dict[str, Any]:
    """Return the whole table, with its date and the meaning of its confidence levels."""
    content: dict[str, Any] = json.loads(TABLE.read_text())
    return content


def price(name: str, region: str) -> Price:
    """Return the price with this name; raises ValueError if the table lacks it."""
    prices = table()["prices"]
    if name not in prices:
        group = name.split(".")[0]
        known = ", ".join(other for other in prices if other.startswith(group)) or "no similar price"
        raise ValueError(f"{TABLE.name} has no price {name!r}; add it with its source. It has {known}")
    entry = prices[name]
    found = region if region in entry else table()["default_region"]
    return Price(name, entry[found], entry["unit"], found, entry["source"], entry["confidence"][found])


def hourly_price(instance_type: str, region: str = "eu-central-1", *, spot: bool = False) -> float:
    """Return dollars an hour of one SageMaker training instance such as `ml.g5.xlarge`.

    Spot is assumed to cost a fixed share of on demand (in the table); AWS guarantees none. Raises ValueError
    for a type that the table lacks.
    """
    dollars = price(f"sagemaker.training.{instance_type}", region).dollars
    return dollars * price("sagemaker.spot_share", region).dollars if spot else dollars
