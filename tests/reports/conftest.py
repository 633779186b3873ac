from datetime import timedelta

import pytest

import functions.reports.handler
import functions.reports.queries
import functions.reports.report_links
import tests.fixtures.messages
from tests.fixtures.postgres import database, empty_database, migrated_template, postgres
from tests.reports.client import NOW, stopped_clock

__all__ = ["database", "empty_database", "migrated_template", "postgres"]

BUCKET = "drift-reports"


@pytest.fixture(autouse=True)
def bucket(monkeypatch: pytest.MonkeyPatch) -> str:
    """Set the bucket, and the region and credentials for presigned URLs; no request is made."""
    monkeypatch.setenv("REPORT_BUCKET", BUCKET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "testing")
    functions.reports.report_links.s3.cache_clear()
    return BUCKET


@pytest.fixture(autouse=True)
def stopped_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Store at NOW and read just after it, because the end of a window is exclusive."""
    monkeypatch.setattr(tests.fixtures.messages, "datetime", stopped_clock(NOW))
    later = stopped_clock(NOW + timedelta(milliseconds=1))
    monkeypatch.setattr(functions.reports.handler, "datetime", later)
    monkeypatch.setattr(functions.reports.queries, "datetime", later)
