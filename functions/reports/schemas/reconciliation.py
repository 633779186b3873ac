"""Predictions answered and predictions stored, by day."""

from datetime import date, datetime

from typing_extensions import TypedDict  # typing's own tells Pydantic too little before Python 3.12


class ReconciledDay(TypedDict):
    day: date
    served: int
    stored: int
    hours_counted: float
    difference: int


class Reconciliation(TypedDict):
    since: datetime
    until: datetime
    days: list[ReconciledDay]
