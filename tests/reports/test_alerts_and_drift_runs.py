"""What the drift monitor found: its alerts and runs page by page, and the way to a run's page."""

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
from tests.reports.client import NOW, ask, event, refused

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
        answer = ask(path, **query, **before)
        found.append([row["id"] for row in answer[name]])
        if answer["next_before"] is None:
            return found
        before = {"before": answer["next_before"]}


def test_pages_hold_every_run_once_newest_first_even_of_one_moment(database: Engine) -> None:
    added = add(database, *(run(5) for _ in range(4)), run(1), run(9), run(2, dataset="api_traffic"))
    found = pages("/reports/drift", "runs", limit="2")
    assert [len(page) for page in found] == [2, 2, 2, 0]
    flat = list(chain(*found))
    assert (flat[0], flat[-1]) == (added[4], added[5])
    assert sorted(flat) == sorted(added[:6])


def test_a_run_is_its_record_with_an_id_a_time_and_its_rows(database: Engine) -> None:
    verdict = {"drifted": False, "score": 0.0, "features": []}
    (added,) = add(database, run(3, data_drift=verdict))
    (found,) = ask("/reports/drift")["runs"]
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


def test_runs_are_narrowed_to_windows_that_ended_within_a_span(database: Engine) -> None:
    added = add(database, run(30), run(20), run(10))
    since, until = ((NOW - timedelta(minutes=minutes)).isoformat() for minutes in (20, 10))
    found = ask("/reports/drift", since=since, until=until)["runs"]
    assert [one["id"] for one in found] == [added[1]]
    assert len(ask("/reports/drift", since=since)["runs"]) == 2


def test_pages_hold_every_alert_once_newest_first(database: Engine) -> None:
    added = add(database, *(alert(minutes) for minutes in (4, 2, 3, 2, 1)))
    flat = list(chain(*pages("/reports/alerts", "alerts", limit="2")))
    assert (flat[0], flat[-1]) == (added[4], added[0])
    assert sorted(flat) == sorted(added)


def test_alerts_are_narrowed_by_kind_and_state(database: Engine) -> None:
    add(
        database,
        alert(3, kind="performance"),
        alert(2, kind="performance", resolved_at=NOW),
        alert(1),
    )
    kinds = {"kind": "performance"}
    assert len(ask("/reports/alerts", **kinds)["alerts"]) == 1
    assert len(ask("/reports/alerts", **kinds, state="all")["alerts"]) == 2
    assert ask("/reports/alerts", kind="reconciliation")["alerts"] == []


@pytest.mark.parametrize("path", ["/reports/alerts", "/reports/drift"])
def test_a_cursor_of_no_row_is_refused_rather_than_answered_with_an_empty_page(
    database: Engine, path: str
) -> None:
    status, error = refused(path, before=str(uuid4()))
    assert status == 422
    assert error["message"] == "before: there is no such row; give the next_before of the page before"


def test_a_runs_page_is_reached_for_five_minutes_by_a_signed_address(database: Engine, bucket: str) -> None:
    (added,) = add(database, run(1, report_uri=f"s3://{bucket}/{PAGE}"))

    answer = handler(event(f"/reports/drift/{added}/page"), None)

    assert answer["statusCode"] == 302
    address = urlsplit(answer["headers"]["location"])
    assert address.scheme == "https"
    assert (address.hostname, address.path) == (f"{bucket}.s3.eu-central-1.amazonaws.com", f"/{PAGE}")
    signed = parse_qs(address.query)
    assert (signed["X-Amz-Expires"], signed["X-Amz-Algorithm"]) == (["300"], ["AWS4-HMAC-SHA256"])
    assert signed["X-Amz-Signature"]
    assert answer["headers"]["cache-control"] == "no-store"

    told = ask(f"/reports/drift/{added}/page", redirect="false")
    assert urlsplit(told["url"]).path == f"/{PAGE}", "a script cannot see where it is led, so it asks"


@pytest.mark.parametrize(
    "uri",
    [
        None,
        "",
        f"s3://another-bucket/{PAGE}",
        "s3://pages-of-the-monitor/unsent/2026/record.json",
        "s3://pages-of-the-monitor/reports/drift/../../unsent/record.html",
        "https://example.org/reports/drift/page.html",
        "s3://pages-of-the-monitor/reports/drift/page.html\n",
    ],
)
def test_only_a_page_that_the_monitor_stored_is_signed(database: Engine, uri: str | None) -> None:
    (added,) = add(database, run(1, report_uri=uri))
    status, error = refused(f"/reports/drift/{added}/page")
    assert (status, error["code"]) == (404, "page_not_found")
    assert error["message"] == "this run has no page: it was not stored when the run was recorded"


def test_a_page_of_no_run_is_not_found(database: Engine, bucket: str) -> None:
    (other,) = add(database, run(1, dataset="api_traffic", report_uri=f"s3://{bucket}/{PAGE}"))
    for unknown in (str(uuid4()), other):
        assert refused(f"/reports/drift/{unknown}/page")[1]["message"] == "there is no such drift run"
    status, error = refused("/reports/drift/latest/page")
    assert (status, error["message"]) == (422, "the id of a drift run is a UUID, as /reports/drift lists it")
