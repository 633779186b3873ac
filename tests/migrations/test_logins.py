"""Each function's database login on a real server: what is granted and what is denied."""

import secrets
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sentiment.database.alerts import mark_notified, raise_alert, resolve_alert
from sentiment.database.deployments import deployment_before, record_deployment
from sentiment.database.feedback import store_feedback
from sentiment.database.models import Record
from sentiment.database.predictions import store_predictions
from sentiment.database.runs import record_dataset_metrics, record_experiment_run
from sentiment.database.session import DatabaseSettings, make_engine, transaction
from sentiment.database.tables import count_rows
from sentiment.exceptions import ConfigurationError, DatabaseError
from sqlalchemy import Connection, Engine, text

from functions.migrations.handler import handler
from functions.migrations.logins import GRANTS, LOGINS, refresh_logins
from functions.migrations.partitions import add_months, maintain_partitions
from functions.migrations.settings import settings
from local.postgres.server import PostgresServer
from tests.fixtures.messages import feedback, prediction
from tests.fixtures.rows import deployment

DENIED = "(42501)"  # insufficient_privilege
THIS_MONTH = datetime.now(UTC).date().replace(day=1)
TABLES = sorted(Record.metadata.tables)
LogIn = Callable[[str], Engine]


@pytest.fixture
def log_in(postgres: PostgresServer, database: Engine) -> Iterator[LogIn]:
    """Upgrade the database as a deployment does, and set a password for each login."""
    handler({"action": "upgrade"}, None)
    password = secrets.token_hex(16)
    with database.begin() as connection:
        for login in LOGINS:
            connection.execute(text(f"ALTER ROLE {login} PASSWORD '{password}'"))
    engines: list[Engine] = []

    def connect(login: str) -> Engine:
        values = {name.lower(): value for name, value in postgres.environment().items()} | {
            "database_name": str(database.url.database),
            "database_user": login,
            "database_password": password,
        }
        engines.append(make_engine(DatabaseSettings(_env_file=None, **values)))
        return engines[-1]

    yield connect
    for engine in engines:
        engine.dispose()


def denied(engine: Engine, statement: str) -> bool:
    """Return whether Postgres denies the statement; any other error is raised."""
    try:
        with transaction(engine) as session:
            session.execute(text(statement))
    except DatabaseError as error:
        if DENIED in str(error):
            return True
        raise
    return False


def test_log_writer_stores_predictions_once_and_feedback(log_in: LogIn) -> None:
    engine, made = log_in("log_writer"), prediction()
    for _ in range(2):
        with transaction(engine) as session:
            store_predictions(session, [made])
    with transaction(engine) as session:
        assert store_feedback(session, [feedback(made.prediction_id)]) == set()


def test_log_writer_updates_only_feedback_and_deletes_nothing(log_in: LogIn) -> None:
    engine = log_in("log_writer")
    assert denied(engine, "UPDATE prediction_logs SET sentiment = 'positive'")
    assert denied(engine, "DELETE FROM prediction_logs")
    assert denied(engine, "SELECT * FROM model_deployments")


def test_predictions_are_stored_in_partitions_created_after_the_login(
    log_in: LogIn, database: Engine
) -> None:
    later = add_months(THIS_MONTH, 4)
    with database.begin() as connection:
        made = maintain_partitions(connection, today=later, retention_months=13).created
    name = f"prediction_logs_{later:%Y_%m}"
    assert name in made
    at = datetime(later.year, later.month, 15, tzinfo=UTC)
    engine = log_in("log_writer")
    with transaction(engine) as session:
        store_predictions(session, [prediction(at)])
    through_the_parent_only = f"SELECT * FROM {name}"  # noqa: S608
    assert denied(engine, through_the_parent_only)


def test_reports_reads_every_table_and_writes_none(log_in: LogIn) -> None:
    engine = log_in("reports")
    with transaction(engine) as session:
        assert {name: count_rows(session, name) for name in TABLES} == dict.fromkeys(TABLES, 0)
    for table in TABLES:
        assert denied(engine, f"INSERT INTO {table} DEFAULT VALUES")
        assert denied(engine, f"DELETE FROM {table}")  # noqa: S608
    assert denied(engine, "UPDATE prediction_logs SET feedback_label = 'positive'")


def test_drift_monitor_raises_and_closes_alerts_and_describes_data(log_in: LogIn) -> None:
    engine = log_in("drift_monitor")
    alert = {"kind": "drift", "cause": "tokens", "severity": "warning", "message": "m", "details": {}}
    with transaction(engine) as session:
        count_rows(session, "prediction_logs")
        raise_alert(session, **alert)
        raised = raise_alert(session, **alert)
        mark_notified(session, raised.id)
        resolve_alert(session, kind="drift", cause="tokens")
        for _ in range(2):
            record_dataset_metrics(session, dataset="d", fingerprint="f", split="test", rows=1, metrics={})


def test_drift_monitor_touches_neither_predictions_nor_deployments(log_in: LogIn) -> None:
    engine = log_in("drift_monitor")
    assert denied(engine, "UPDATE prediction_logs SET feedback_label = 'positive'")
    assert denied(engine, "INSERT INTO model_deployments DEFAULT VALUES")
    assert denied(engine, "DELETE FROM monitoring_alerts")


def test_registrar_records_runs_data_and_deployments(log_in: LogIn) -> None:
    engine = log_in("registrar")
    run = {"run_id": "r", "experiment": "e", "status": "FINISHED", "parameters": {}, "metrics": {}}
    for _ in range(2):
        with transaction(engine) as session:
            record_experiment_run(session, **run, started_at=datetime.now(UTC))
            record_dataset_metrics(session, dataset="d", fingerprint="f", split="test", rows=1, metrics={})
            record_deployment(session, deployment(deployment_type="candidate"))
            record_deployment(session, deployment(function_version="2"))
    with transaction(engine) as session:
        assert deployment_before(session, 3) is not None


def test_registrar_can_neither_rewrite_history_nor_read_texts(log_in: LogIn) -> None:
    engine = log_in("registrar")
    for change in ("model_version = 'v2'", "deployment_type = 'shadow'", "deployed_by = 'somebody else'"):
        assert denied(engine, f"UPDATE model_deployments SET {change}")  # noqa: S608
    assert not denied(engine, "UPDATE model_deployments SET is_active = false, retired_at = now()")
    assert denied(engine, "DELETE FROM model_deployments")
    assert denied(engine, "SELECT * FROM prediction_logs")


@pytest.mark.parametrize("login", LOGINS)
def test_no_login_creates_drops_or_truncates_anything(log_in: LogIn, login: str) -> None:
    engine = log_in(login)
    for table in TABLES:
        assert denied(engine, f"DROP TABLE {table}")
        assert denied(engine, f"TRUNCATE {table}")
        assert denied(engine, f"ALTER TABLE {table} ADD COLUMN extra text")
    for statement in (
        "CREATE TABLE public.mine (a int)",
        "CREATE TEMPORARY TABLE mine (a int)",
        "CREATE SCHEMA mine",
        "CREATE ROLE mine",
        "SELECT * FROM alembic_version",
        "UPDATE alembic_version SET version_num = '0001'",
        "SELECT * FROM prediction_logs_default",
        "SELECT * FROM pg_authid",
        "COPY prediction_logs TO PROGRAM 'cat'",
    ):
        assert denied(engine, statement), statement


@pytest.mark.parametrize("login", LOGINS)
def test_a_new_table_or_sequence_is_not_granted_to_anyone(
    log_in: LogIn, database: Engine, login: str
) -> None:
    with database.begin() as connection:
        connection.execute(text("CREATE TABLE later (a int)"))
        connection.execute(text("CREATE SEQUENCE numbers"))
        refresh_logins(connection)
    engine = log_in(login)
    assert denied(engine, "SELECT * FROM later")
    assert denied(engine, "SELECT nextval('numbers')")


def privileges(connection: Connection) -> list[tuple[str, ...]]:
    query = (
        "SELECT grantee, table_name, privilege_type FROM information_schema.role_table_grants "
        "WHERE grantee = ANY(:logins) UNION ALL "
        "SELECT grantee, table_name || '.' || column_name, privilege_type "
        "FROM information_schema.role_column_grants WHERE grantee = ANY(:logins) ORDER BY 1, 2, 3"
    )
    return [tuple(row) for row in connection.execute(text(query), {"logins": list(LOGINS)})]


def test_a_refresh_revokes_additional_grants_and_changes_nothing_else(
    log_in: LogIn, database: Engine
) -> None:
    with database.begin() as connection:
        before = privileges(connection)
        connection.execute(text("GRANT DELETE ON prediction_logs TO reports"))
        connection.execute(text("GRANT UPDATE (text) ON prediction_logs TO log_writer"))
        assert privileges(connection) != before
        refresh_logins(connection)
        assert before and privileges(connection) == before


def test_every_login_uses_tokens_on_rds_and_only_there(log_in: LogIn, database: Engine) -> None:
    members = text(
        "SELECT m.rolname FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member "
        "JOIN pg_roles r ON r.oid = a.roleid WHERE r.rolname = 'rds_iam' ORDER BY 1"
    )
    with database.connect() as connection:  # rolled back at the end, including the role
        assert connection.execute(members).scalars().all() == []
        connection.execute(text("CREATE ROLE rds_iam"))
        refresh_logins(connection)
        assert connection.execute(members).scalars().all() == sorted(LOGINS)


def test_only_the_given_logins_are_created(empty_database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_LOGINS", "reports, log_writer")
    assert handler({"action": "upgrade"}, None)["logins"] == ["reports", "log_writer"]
    with empty_database.connect() as connection:
        assert {grantee for grantee, *_ in privileges(connection)} == {"log_writer", "reports"}


def test_an_unknown_login_is_rejected(empty_database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_LOGINS", "reports,postgres")
    with pytest.raises(ConfigurationError, match="DATABASE_LOGINS"):
        settings()


def test_the_decision_record_lists_exactly_the_grants() -> None:
    record = (Path(__file__).parents[2] / "docs" / "decisions" / "0010-iam-database-login.md").read_text()
    rows = [
        [cell.strip() for cell in line.strip("| ").split("|")]
        for line in record.splitlines()
        if line.startswith("| `")
    ]

    def listed(tables: Iterable[str]) -> str:
        return "all tables" if set(tables) == set(TABLES) else ", ".join(f"`{t}`" for t in sorted(tables))

    def changed(table: str, columns: Iterable[str]) -> str:
        return f"`{table}`" + (f" ({listed(columns)})" if columns else "")

    expected = [
        [
            f"`{login}`",
            listed(grants.reads),
            listed(grants.inserts),
            ", ".join(changed(table, columns) for table, columns in sorted(grants.updates.items())),
        ]
        for login, grants in GRANTS.items()
    ]
    assert [[*row, "", "", ""][:4] for row in rows] == expected
