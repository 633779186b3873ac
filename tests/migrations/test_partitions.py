from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from uuid import UUID

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws
from sentiment.database.alerts import open_alerts
from sentiment.database.models import MonitoringAlert
from sentiment.database.predictions import store_predictions
from sentiment.messages import uuid7_time
from sentiment.notifications import sns
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from functions.migrations.alerts import report_strays
from functions.migrations.partitions import Maintenance, add_months, lower_bound, maintain_partitions
from tests.fixtures.messages import prediction, uuid7

TODAY = datetime.now(UTC).date()
THIS_MONTH = TODAY.replace(day=1)
RETENTION_MONTHS = 3


def name(month: date) -> str:
    return f"prediction_logs_{month:%Y_%m}"


def middle_of(month: date) -> datetime:
    return datetime(month.year, month.month, 15, 12, tzinfo=UTC)


def store(database: Engine, *instants: datetime) -> list[UUID]:
    made = [prediction(at) for at in instants]
    with Session(database) as session, session.begin():
        store_predictions(session, made)
    return [one.prediction_id for one in made]


def maintain(database: Engine, today: date = TODAY, retention_months: int = RETENTION_MONTHS) -> Maintenance:
    with database.begin() as connection:
        return maintain_partitions(connection, today=today, retention_months=retention_months)


def where(database: Engine) -> dict[UUID, str]:
    """Return the partition of each prediction."""
    with database.connect() as connection:
        rows = connection.execute(text("SELECT id, tableoid::regclass::text FROM prediction_logs"))
        return {row[0]: row[1] for row in rows}


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2999, 1, 1), timezones=st.just(UTC)))
def test_an_id_is_in_the_range_of_its_month(at: datetime) -> None:
    month = at.date().replace(day=1)
    made = uuid7(at)
    assert lower_bound(month) <= made < lower_bound(add_months(month, 1))
    assert uuid7_time(made).date().replace(day=1) == month


@given(st.dates(min_value=date(1000, 1, 1), max_value=date(3000, 1, 1)), st.integers(-500, 500))
def test_months_are_added_as_on_a_calendar(day: date, count: int) -> None:
    later = add_months(day, count)
    assert (later.year - day.year) * 12 + later.month - day.month == count
    assert later.day == 1


def test_a_prediction_is_in_the_partition_of_its_month(database: Engine) -> None:
    (made,) = store(database, datetime.now(UTC))
    assert where(database) == {made: name(THIS_MONTH)}


def test_partitions_are_created_in_advance_and_dropped_past_retention(database: Engine) -> None:
    (old,) = store(database, datetime.now(UTC))
    kept_until = add_months(THIS_MONTH, RETENTION_MONTHS)

    assert maintain(database, today=kept_until).dropped == []
    assert old in where(database)
    done = maintain(database, today=add_months(kept_until, 1))

    assert done.dropped == [name(THIS_MONTH)]
    assert done.created == [name(add_months(kept_until, 3))]
    assert where(database) == {}


def test_maintaining_twice_changes_nothing(database: Engine) -> None:
    maintain(database)
    assert maintain(database) == Maintenance()


def test_strays_are_moved_to_the_partitions_of_their_months(database: Engine) -> None:
    month = add_months(THIS_MONTH, 3)  # no partition yet
    next_month = add_months(month, 1)
    first, second, later = store(database, middle_of(month), middle_of(month), middle_of(next_month))
    assert set(where(database).values()) == {"prediction_logs_default"}

    done = maintain(database, today=add_months(THIS_MONTH, 1))

    assert (done.strays, done.moved, done.created) == (3, 2, [name(month)])
    assert where(database) == {first: name(month), second: name(month), later: "prediction_logs_default"}


def test_replayed_predictions_of_an_earlier_month_get_its_partition_again(database: Engine) -> None:
    month = add_months(THIS_MONTH, -2)
    (replayed,) = store(database, middle_of(month))
    assert maintain(database).moved == 1
    assert where(database) == {replayed: name(month)}


def test_strays_past_retention_are_deleted_but_not_those_of_a_wrong_clock(database: Engine) -> None:
    store(database, middle_of(add_months(THIS_MONTH, -RETENTION_MONTHS - 1)))
    wrong = prediction(prediction_id=uuid7(datetime(1970, 1, 1, tzinfo=UTC)))
    with Session(database) as session, session.begin():
        store_predictions(session, [wrong])

    done = maintain(database)

    assert (done.strays, done.expired) == (2, 1)
    assert where(database) == {wrong.prediction_id: "prediction_logs_default"}


def test_a_moved_stray_keeps_all_its_values_and_is_still_unique(database: Engine) -> None:
    made = prediction(middle_of(add_months(THIS_MONTH, -1)))
    with Session(database) as session, session.begin():
        store_predictions(session, [made])
    with database.connect() as connection:
        before = connection.execute(text("SELECT * FROM prediction_logs")).all()
    maintain(database)
    with Session(database) as session, session.begin():
        store_predictions(session, [made])

    with database.connect() as connection:
        assert connection.execute(text("SELECT * FROM prediction_logs")).all() == before


def test_runs_at_the_same_time_do_not_collide(database: Engine) -> None:
    later = add_months(THIS_MONTH, 6)
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda _: maintain(database, today=later), range(4)))
    assert sorted(len(run.created) for run in runs) == [0, 0, 0, 3]


def test_writers_lose_nothing_while_partitions_change(database: Engine) -> None:
    month = add_months(THIS_MONTH, 3)

    def write(_: int) -> list[UUID]:
        return [one for _ in range(20) for one in store(database, *[middle_of(month)] * 10)]

    with ThreadPoolExecutor(3) as pool:
        writers = [pool.submit(write, number) for number in range(2)]
        pool.submit(maintain, database, add_months(THIS_MONTH, 1)).result()
        written = {one for writer in writers for one in writer.result()}
    assert maintain(database, today=add_months(THIS_MONTH, 1)).strays == 0
    assert where(database) == dict.fromkeys(written, name(month))


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        sns.cache_clear()
        yield boto3.client("sns").create_topic(Name="alerts")["TopicArn"]
    sns.cache_clear()


def published(topic: str) -> list[str]:
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.sns import sns_backends

    sent = sns_backends[DEFAULT_ACCOUNT_ID]["eu-central-1"].topics[topic].sent_notifications
    return [notification[1] for notification in sent]


def test_strays_raise_one_alert_until_they_are_gone(database: Engine, topic: str) -> None:
    store(database, middle_of(add_months(THIS_MONTH, 9)))

    for _ in range(2):
        report_strays(database, maintain(database), topic)

    with Session(database) as session:
        (alert,) = open_alerts(session)
    assert (alert.kind, alert.cause) == ("stray_predictions", "prediction_logs_default")
    assert alert.details["strays"] == 1
    assert published(topic) == [alert.message]
    assert "1 are left in prediction_logs_default" in alert.message

    maintain(database, today=add_months(THIS_MONTH, 9))
    report_strays(database, maintain(database, today=add_months(THIS_MONTH, 9)), topic)

    with Session(database) as session:
        assert open_alerts(session) == []
        assert session.scalars(select(MonitoringAlert.resolved_at)).one() is not None
    assert len(published(topic)) == 1


def test_a_failed_notification_is_sent_by_the_next_run(database: Engine, topic: str) -> None:
    store(database, middle_of(add_months(THIS_MONTH, 9)))
    with pytest.raises(sns().exceptions.NotFoundException):
        report_strays(database, maintain(database), topic + "-that-is-gone")

    report_strays(database, maintain(database), topic)

    assert len(published(topic)) == 1


def test_without_a_topic_the_alert_is_still_stored(database: Engine) -> None:
    report_strays(database, Maintenance(strays=2, moved=2), None)
    with Session(database) as session:
        assert [alert.severity for alert in open_alerts(session)] == ["warning"]
