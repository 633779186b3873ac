"""Every query of the dashboard returns data: from a real Prometheus on a real API, and from a real Postgres.

There is no Grafana; grafana.py replaces its variables and macros.
"""

import math
import re
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pg8000.dbapi
import pytest
import yaml
from sqlalchemy import Engine

from local.processes import wait_until
from tests.local.observability.grafana import (
    OBSERVABILITY,
    POSTGRES,
    PROMETHEUS,
    Target,
    load_dashboard,
    panels,
    prometheus_query,
    sql_query,
    targets,
)
from tests.local.observability.prometheus import SCRAPE_SECONDS, Prometheus
from tests.local.observability.seeds import HOURS, PER_HOUR, VERSION

pytestmark = pytest.mark.slow

SPAN_SECONDS = 120
WAIT_SECONDS = 30
PROMETHEUS_TARGETS = dict(targets(load_dashboard(), PROMETHEUS))
POSTGRES_TARGETS = dict(targets(load_dashboard(), POSTGRES))
RULES = {
    rule["alert"]: rule
    for group in yaml.safe_load((OBSERVABILITY / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
}


def test_at_least_ten_panels_use_prometheus() -> None:
    using = [
        panel
        for panel in panels(load_dashboard())
        if any(target["datasource"]["uid"] == PROMETHEUS for target in panel["targets"])
    ]
    assert len(using) >= 10


@pytest.mark.parametrize("name", PROMETHEUS_TARGETS)
def test_a_prometheus_query_returns_data(prometheus: Prometheus, name: str) -> None:
    target = PROMETHEUS_TARGETS[name]
    expression = prometheus_query(
        target["expr"], scrape_seconds=SCRAPE_SECONDS, step_seconds=1, span_seconds=SPAN_SECONDS
    )

    def values() -> list[float]:
        if target["instant"]:
            return prometheus.instant(expression)
        now = time.time()
        return prometheus.over(expression, since=now - SPAN_SECONDS, until=now, step_seconds=1)

    assert wait_until(lambda: bool(values()), seconds=WAIT_SECONDS), f"no data for {expression}"


def test_the_values_are_those_of_the_traffic(prometheus: Prometheus) -> None:
    """Samples, to check that the queries return the correct data."""
    queries = {name: PROMETHEUS_TARGETS[f"{name}, A"] for name in ("Share of each label", "Truncated texts")}

    def last(name: str) -> dict[str, float]:
        expression = prometheus_query(
            queries[name]["expr"], scrape_seconds=SCRAPE_SECONDS, step_seconds=SPAN_SECONDS, span_seconds=1
        )
        found = prometheus.get("query", query=expression)["result"]
        return {series["metric"].get("sentiment", ""): float(series["value"][1]) for series in found}

    shares = last("Share of each label")
    assert shares == pytest.approx({"positive": 0.5, "negative": 0.5}, abs=0.1)
    assert last("Truncated texts") == pytest.approx({"": 0.25}, abs=0.1)


def test_prometheus_evaluates_every_rule_and_none_fires_in_ordinary_traffic(prometheus: Prometheus) -> None:
    def rules() -> list[dict[str, Any]]:
        groups = prometheus.get("rules")["groups"]
        return [rule for group in groups for rule in group["rules"] if rule["health"] != "unknown"]

    assert wait_until(lambda: len(rules()) == len(RULES), seconds=WAIT_SECONDS)
    assert {rule["name"]: rule.get("lastError", "") for rule in rules()} == dict.fromkeys(RULES, "")
    # Two of seven requests of this test's traffic are invalid on purpose.
    assert {rule["name"] for rule in rules() if rule["state"] == "firing"} == set()


@pytest.mark.parametrize("name", RULES)
def test_a_rule_uses_series_of_the_api(prometheus: Prometheus, name: str) -> None:
    selectors = re.findall(r"[a-z_]+(?:\{[^}]*\})?(?=\[)", RULES[name]["expr"]) or ['up{job="sentiment-api"}']
    for selector in selectors:
        # The API does not fail here; the middleware's tests cover that status.
        present = selector.replace('status=~"5.."', 'status=~"2.."')
        # One scrape that takes over a second makes all series stale until the next one.
        assert wait_until(partial(prometheus.instant, present), seconds=15), present


@pytest.mark.parametrize("name", POSTGRES_TARGETS)
def test_a_postgres_query_returns_data_to_the_read_only_login(
    reader: pg8000.dbapi.Connection, name: str
) -> None:
    columns, rows = query(reader, POSTGRES_TARGETS[name])
    assert rows
    if POSTGRES_TARGETS[name]["format"] == "time_series":
        assert columns[0] == "time"
        moments = [row[0] for row in rows]
        assert moments == sorted(moments)
        values = [value for row in rows for value in row[1:] if not isinstance(value, str)]
        assert any(value is not None and math.isfinite(value) for value in values)


def test_values_from_postgres_are_those_of_the_rows(reader: pg8000.dbapi.Connection) -> None:
    _, hours = query(reader, POSTGRES_TARGETS["Served against stored, A"])
    assert sum(row[1] for row in hours) == sum(row[2] for row in hours) == HOURS * PER_HOUR
    _, moved = query(reader, POSTGRES_TARGETS["Effect against threshold, A"])
    assert {(row[1], round(row[2], 6)) for row in moved} == {("tokens", 4.0), ("sentiment", 0.2)}
    _, runs = query(reader, POSTGRES_TARGETS["Accuracy, A"])
    assert [row[4] for row in runs] == [None, None, 0.9, 0.9], "accuracy is shown only with enough labels"
    _, (alerts,) = query(reader, POSTGRES_TARGETS["Unresolved alerts, A"])
    assert alerts[0] == 1
    _, deployments = query(reader, POSTGRES_TARGETS["Deployments, A"])
    assert [row[1] for row in deployments] == [VERSION]
    _, agreed = query(reader, POSTGRES_TARGETS["Agreement with feedback, A"])
    # The first and the last hour are seeded partially, perhaps with a single label.
    assert len(agreed) >= HOURS
    assert all(0 < row[1] < 1 for row in agreed[1:-1])


def test_no_query_reads_texts_comments_or_correlation_ids(
    reader: pg8000.dbapi.Connection, database: Engine
) -> None:
    allowed = "id, sentiment, confidence, predicted_at, feedback_label"
    with database.begin() as owner:
        owner.exec_driver_sql("REVOKE SELECT ON prediction_logs FROM reports")
        owner.exec_driver_sql(f"GRANT SELECT ({allowed}) ON prediction_logs TO reports")
    for target in POSTGRES_TARGETS.values():
        columns, rows = query(reader, target)
        assert rows
        assert "id" not in columns


def test_the_login_of_grafana_cannot_write(reader: pg8000.dbapi.Connection) -> None:
    with pytest.raises(pg8000.dbapi.DatabaseError, match="permission denied"):
        reader.cursor().execute("DELETE FROM monitoring_alerts")


def query(connection: pg8000.dbapi.Connection, target: Target) -> tuple[list[str], list[Any]]:
    """Run a query over the seeded hours; return its columns and rows."""
    until = datetime.now(UTC) + timedelta(minutes=1)
    cursor = connection.cursor()
    cursor.execute(sql_query(target["rawSql"], since=until - timedelta(hours=HOURS + 2), until=until))
    return [column[0] for column in cursor.description], list(cursor.fetchall())
