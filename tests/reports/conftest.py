import pytest

import functions.reports.pages
from tests.fixtures.postgres import database, empty_database, migrated_template, postgres

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
    functions.reports.pages.s3.cache_clear()
    return BUCKET
