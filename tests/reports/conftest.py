from datetime import timedelta

import pytest

import functions.reports.handler
import functions.reports.queries
import functions.reports.report_links
import tests.fixtures.messages
from tests.fixtures.postgres import database, empty_database, migrated_template, postgres
from tests.reports.client import NOW, stopped_clock

__all__ = ["database", "empty_database", "migrated_template", "postgres"]

BUCKET = "pages-of-the-monitor"


@pytest.fixture(autouse=True)
def bucket(monkeypatch: pytest.MonkeyPatch) -> str:
    """Name the bucket, and the region and key that its signed addresses are made with; nobody is asked."""
    monkeypatch.setenv("REPORT_BUCKET", BUCKET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-tests")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-tests")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of-the-tests")
    functions.reports.report_links.s3.cache_clear()
    return BUCKET


@pytest.fixture(autouse=True)
def one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make what is stored at NOW, and ask just after it: the end of a window is not part of it."""
    monkeypatch.setattr(tests.fixtures.messages, "datetime", stopped_clock(NOW))
    asked = stopped_clock(NOW + timedelta(milliseconds=1))
    monkeypatch.setattr(functions.reports.handler, "datetime", asked)
    monkeypatch.setattr(functions.reports.queries, "datetime", asked)
