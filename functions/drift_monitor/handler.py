"""Compares traffic with the reference, hourly."""

from functools import cache

from sentiment.database.session import make_engine
from sqlalchemy import Engine

from functions.drift_monitor.settings import settings


@cache
def engine() -> Engine:
    """Make this instance's one connection pool."""
    return make_engine(settings())
