"""The summary of a time range, and the comparison of answered and stored predictions."""

from datetime import datetime, timedelta

import pytest
from sentiment.database.runs import record_dataset_metrics
from sentiment.database.traffic import store_traffic
from sentiment.messages import TrafficCounted
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from tests.fixtures.messages import prediction, traffic
from tests.reports.client import NOW, get, store

HOUR = timedelta(hours=1)
TODAY = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
YESTERDAY = TODAY - timedelta(days=1)


def count(database: Engine, *spans: TrafficCounted) -> None:
    with Session(database) as session, session.begin():
        store_traffic(session, spans)


def test_the_summary_has_requests_and_errors_as_counted(database: Engine) -> None:
    end = NOW - timedelta(minutes=5)
    count(database, traffic(end), traffic(end - HOUR, requests=80, client_errors=6, server_errors=3))
    count(database, traffic(end - 30 * HOUR))

    requests = get("/reports/summary")["requests"]

    assert requests["counted"] == 200
    assert (requests["client_errors"], requests["server_errors"]) == (10, 4)
    assert requests["error_rate"] == pytest.approx(0.02), "the share answered 5xx"
    assert datetime.fromisoformat(requests["since"]) == end - 2 * HOUR
    assert datetime.fromisoformat(requests["until"]) == end


def test_a_time_range_that_was_counted_twice_counts_once(database: Engine) -> None:
    end = NOW - timedelta(minutes=5)
    count(database, traffic(end), traffic(end, requests=130))
    assert get("/reports/summary")["requests"]["counted"] == 130


def test_uncounted_traffic_is_null_and_not_zero(database: Engine) -> None:
    store(database, prediction())
    count(database, traffic(NOW - 24 * HOUR - timedelta(minutes=1)))
    assert get("/reports/summary")["requests"] is None


def test_an_hour_belongs_only_to_the_window_in_which_it_ended(database: Engine) -> None:
    end = NOW - timedelta(minutes=40)
    count(database, traffic(end))
    requests = get("/reports/summary", hours="1")["requests"]
    assert (requests["counted"], datetime.fromisoformat(requests["since"])) == (120, end - HOUR)
    spans = ((end - 2 * HOUR, end - HOUR), (end - HOUR, end), (end, NOW))
    found = [
        get("/reports/summary", since=since.isoformat(), until=until.isoformat())["requests"]
        for since, until in spans
    ]
    assert [requests is not None for requests in found] == [False, True, False]


def test_a_quiet_hour_has_no_error_rate(database: Engine) -> None:
    count(database, traffic(NOW - timedelta(minutes=1), requests=0, client_errors=0, server_errors=0))
    assert get("/reports/summary")["requests"]["error_rate"] is None


def test_the_summary_includes_since_and_excludes_until(database: Engine) -> None:
    since, until = (NOW - 3 * HOUR).replace(microsecond=0), (NOW - HOUR).replace(microsecond=0)
    store(
        database,
        prediction(since, novelty=1.0),
        prediction(until - timedelta(milliseconds=1), novelty=2.0),
        prediction(until),
        prediction(since - timedelta(milliseconds=1)),
    )

    summary = get("/reports/summary", since=since.isoformat(), until=until.isoformat())

    assert summary["predictions"] == 2
    assert summary["novelty"] == {"mean": pytest.approx(1.5)}
    assert [datetime.fromisoformat(summary[name]) for name in ("since", "until")] == [since, until]


def test_the_summary_has_equal_time_bins(database: Engine) -> None:
    since, until = NOW - 25 * HOUR, NOW - HOUR
    last = prediction(until - timedelta(milliseconds=1))
    store(
        database,
        prediction(since + timedelta(minutes=90), confidence=0.6, inference_time_ms=10.0),
        prediction(
            since + timedelta(minutes=91), confidence=0.8, inference_time_ms=20.0, sentiment="negative"
        ),
        last,
    )

    over_time = get("/reports/summary", since=since.isoformat(), until=until.isoformat())["over_time"]

    assert [span["predictions"] for span in over_time] == [0, 2, *[0] * 21, 1]
    assert [datetime.fromisoformat(span["since"]) for span in over_time] == [
        since + hour * HOUR for hour in range(24)
    ]
    assert over_time[1]["by_sentiment"] == {"positive": 1, "negative": 1}
    assert over_time[1]["confidence"] == pytest.approx(0.7)
    assert over_time[1]["inference_time_ms"] == {"p50": pytest.approx(15.0), "p95": pytest.approx(19.5)}
    assert over_time[0] | {"since": None} == {
        "since": None,
        "predictions": 0,
        "by_sentiment": {},
        "confidence": None,
        "inference_time_ms": {"p50": None, "p95": None},
    }


def test_a_time_range_may_be_in_any_time_zone_and_ends_now_by_default(database: Engine) -> None:
    store(database, prediction(NOW - 2 * HOUR))
    zone = (NOW - 3 * HOUR).astimezone(datetime.strptime("+05:30", "%z").tzinfo)
    assert get("/reports/summary", since=zone.isoformat())["predictions"] == 1
    # An unescaped + in a URL is a space.
    assert get("/reports/summary", since=zone.isoformat().replace("+", " "))["predictions"] == 1


def test_novelty_is_null_for_artifacts_without_it(database: Engine) -> None:
    store(database, prediction(novelty=None))
    assert get("/reports/summary")["novelty"] == {"mean": None}


def test_reconciliation_compares_served_with_stored_over_counted_hours(
    database: Engine,
) -> None:
    noon = YESTERDAY + timedelta(hours=12)
    count(database, traffic(noon, predictions=3), traffic(noon + HOUR, predictions=2))
    count(database, traffic(YESTERDAY, predictions=1))  # the last hour of the day before
    store(
        database,
        prediction(noon - HOUR),
        prediction(noon - timedelta(milliseconds=1)),
        prediction(noon),
        prediction(noon + timedelta(minutes=59)),
        prediction(noon + 2 * HOUR),  # in an hour that was not counted
        prediction(YESTERDAY - timedelta(minutes=1)),
    )

    days = get("/reports/reconciliation", days="3")["days"]

    assert days == [
        {
            "day": YESTERDAY.date().isoformat(),
            "served": 5,
            "stored": 4,
            "hours_counted": 2.0,
            "difference": 1,
        },
        {
            "day": (YESTERDAY - timedelta(days=1)).date().isoformat(),
            "served": 1,
            "stored": 1,
            "hours_counted": 1.0,
            "difference": 0,
        },
    ]


def test_reconciliation_reads_only_traffic_counts(database: Engine) -> None:
    with Session(database) as session, session.begin():
        for dataset, split in (("prediction_logs", "window"), ("reviews", "test")):
            record_dataset_metrics(
                session, dataset=dataset, fingerprint=dataset, split=split, rows=9, metrics={"since": "soon"}
            )
    assert get("/reports/reconciliation")["days"] == []


def test_a_month_of_hours_is_reconciled(database: Engine) -> None:
    hours = [TODAY - number * HOUR for number in range(24 * 30)]
    count(database, *(traffic(hour, predictions=1) for hour in hours))
    store(database, *(prediction(hour - timedelta(minutes=30)) for hour in hours))
    days = get("/reports/reconciliation", days="31")["days"]
    assert len(days) == 30
    assert {(day["served"], day["stored"], day["hours_counted"]) for day in days} == {(24, 24, 24.0)}
