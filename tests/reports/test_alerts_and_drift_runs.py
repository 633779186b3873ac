"""Alerts and drift runs page by page, and the presigned URL of a run's report."""

from datetime import datetime, timedelta
from itertools import chain
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from sentiment.database.models import DatasetMetric, MonitoringAlert
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from functions.reports.handler import handler
from tests.reports.client import NOW, event, get, get_error

PAGE = "reports/drift/2026/11/25/080000-20261123-1a2b3c4d.html"


def run(minutes: int, dataset: str = "prediction_logs", **metrics: Any) -> DatasetMetric:
    return DatasetMetric(
        dataset=dataset,
        fingerprint=str(uuid4()),
        split="window",
        rows=300,
        metrics={"model_version": "v1", "score": 0.25, **span(minutes), **metrics},
        recorded_at=NOW - timedelta(minutes=minutes),
    )


def span(minutes: int) -> dict[str, str]:
    until = NOW - timedelta(minutes=minutes)
    return {"since": (until - timedelta(hours=1)).isoformat(), "until": until.isoformat()}


def alert(minutes: int, **changes: Any) -> MonitoringAlert:
    values: dict[str, Any] = {
        "kind": "data_drift",
        "cause": str(uuid4()),
        "severity": "warning",
        "message": "m",
        "details": {},
        "raised_at": NOW - timedelta(minutes=minutes),
    }
    return MonitoringAlert(**values | changes)


def add(database: Engine, *rows: DatasetMetric | MonitoringAlert) -> list[str]:
    with Session(database, expire_on_commit=False) as session, session.begin():
        session.add_all(rows)
        session.flush()
        return [str(row.id) for row in rows]


def pages(path: str, name: str, **query: str) -> list[list[str]]:
    found, before = [], dict[str, str]()
    while True:
        response = get(path, **query, **before)
        found.append([row["id"] for row in response[name]])
        if response["next_before"] is None:
            return found
        before = {"before": response["next_before"]}


def test_pages_hold_every_run_once_newest_first_even_with_equal_times(database: Engine) -> None:
    added = add(database, *(run(5) for _ in range(4)), run(1), run(9), run(2, dataset="api_traffic"))
    found = pages("/reports/drift", "runs", limit="2")
    assert [len(page) for page in found] == [2, 2, 2, 0]
    flat = list(chain(*found))
    assert (flat[0], flat[-1]) == (added[4], added[5])
    assert sorted(flat) == sorted(added[:6])


def test_a_run_is_its_record_with_an_id_a_time_and_its_rows(database: Engine) -> None:
    verdict = {"drifted": False, "score": 0.0, "features": []}
    (added,) = add(database, run(3, data_drift=verdict))
    (found,) = get("/reports/drift")["runs"]
    assert found == {
        "id": added,
        "at": found["at"],
        "rows": 300,
        "model_version": "v1",
        "score": 0.25,
        "data_drift": verdict,
        **span(3),
    }
    assert datetime.fromisoformat(found["at"]) == NOW - timedelta(minutes=3)


def test_runs_are_filtered_by_the_end_of_their_window(database: Engine) -> None:
    added = add(database, run(30), run(20), run(10))
    since, until = ((NOW - timedelta(minutes=minutes)).isoformat() for minutes in (20, 10))
    found = get("/reports/drift", since=since, until=until)["runs"]
    assert [one["id"] for one in found] == [added[1]]
    assert len(get("/reports/drift", since=since)["runs"]) == 2


def test_pages_hold_every_alert_once_newest_first(database: Engine) -> None:
    added = add(database, *(alert(minutes) for minutes in (4, 2, 3, 2, 1)))
    flat = list(chain(*pages("/reports/alerts", "alerts", limit="2")))
    assert (flat[0], flat[-1]) == (added[4], added[0])
    assert sorted(flat) == sorted(added)


def test_alerts_are_filtered_by_kind_and_state(database: Engine) -> None:
    add(
        database,
        alert(3, kind="performance"),
        alert(2, kind="performance", resolved_at=NOW),
        alert(1),
    )
    kinds = {"kind": "performance"}
    assert len(get("/reports/alerts", **kinds)["alerts"]) == 1
    assert len(get("/reports/alerts", **kinds, state="all")["alerts"]) == 2
    assert get("/reports/alerts", kind="reconciliation")["alerts"] == []


@pytest.mark.parametrize("path", ["/reports/alerts", "/reports/drift"])
def test_an_unknown_cursor_is_rejected_instead_of_an_empty_page(database: Engine, path: str) -> None:
    status, error = get_error(path, before=str(uuid4()))
    assert status == 422
    assert error["message"] == "before: no such row; use the next_before of the previous page"


def test_the_report_of_a_run_has_a_presigned_url_for_five_minutes(database: Engine, bucket: str) -> None:
    (added,) = add(database, run(1, report_uri=f"s3://{bucket}/{PAGE}"))

    response = handler(event(f"/reports/drift/{added}/page"), None)

    assert response["statusCode"] == 302
    url = urlsplit(response["headers"]["location"])
    assert url.scheme == "https"
    assert (url.hostname, url.path) == (f"{bucket}.s3.eu-central-1.amazonaws.com", f"/{PAGE}")
    signed = parse_qs(url.query)
    assert (signed["X-Amz-Expires"], signed["X-Amz-Algorithm"]) == (["300"], ["AWS4-HMAC-SHA256"])
    assert signed["X-Amz-Signature"]
    assert response["headers"]["cache-control"] == "no-store"

    found = get(f"/reports/drift/{added}/page", redirect="false")
    assert urlsplit(found["url"]).path == f"/{PAGE}", "scripts in a browser cannot read a redirect"


@pytest.mark.parametrize(
    "uri",
    [
        None,
        "",
        f"s3://another-bucket/{PAGE}",
        "s3://drift-reports/unsent/2026/record.json",
        "s3://drift-reports/reports/drift/../../unsent/record.html",
        "https://example.org/reports/drift/page.html",
        "s3://drift-reports/reports/drift/page.html\n",
    ],
)
def test_only_reports_of_the_drift_monitor_are_presigned(database: Engine, uri: str | None) -> None:
    (added,) = add(database, run(1, report_uri=uri))
    status, error = get_error(f"/reports/drift/{added}/page")
    assert (status, error["code"]) == (404, "page_not_found")
    assert error["message"] == "this drift run has no report: it could not be stored"


def test_the_report_of_an_unknown_run_is_not_found(database: Engine, bucket: str) -> None:
    (other,) = add(database, run(1, dataset="api_traffic", report_uri=f"s3://{bucket}/{PAGE}"))
    for unknown in (str(uuid4()), other):
        assert get_error(f"/reports/drift/{unknown}/page")[1]["message"] == "drift run not found"
    status, error = get_error("/reports/drift/latest/page")
    assert (status, error["message"]) == (
        422,
        "the id of a drift run must be a UUID, as listed by /reports/drift",
    )
