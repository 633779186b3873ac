from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sentiment.database.alerts import raise_alert
from sentiment.database.deployments import record_deployment
from sentiment.database.models import Record
from sentiment.database.predictions import store_predictions
from sentiment.database.runs import record_dataset_metrics, record_experiment_run
from sentiment.database.session import transaction
from sentiment.database.tables import count_rows, rows_of
from sentiment.exceptions import UnknownNameError
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from tests.fixtures.messages import prediction
from tests.fixtures.rows import deployment

INJECTIONS = [
    "prediction_logs; DROP TABLE prediction_logs",
    'prediction_logs" --',
    "prediction_logs p, pg_authid",
    "pg_authid",
    "information_schema.tables",
    "alembic_version",
    "prediction_logs_default",
    "PREDICTION_LOGS",
    "",
    "prediction_logs\0",
]


@pytest.mark.parametrize("name", INJECTIONS)
def test_only_tables_of_the_models_can_be_named(database: Engine, name: str) -> None:
    with transaction(database) as session:
        for ask in (count_rows, rows_of):
            with pytest.raises(UnknownNameError, match="the tables are dataset_metrics, experiment_runs"):
                ask(session, name)
        assert not session.in_transaction() or session.connection().exec_driver_sql("SELECT 1").scalar() == 1
        assert count_rows(session, "prediction_logs") == 0


@pytest.mark.parametrize("name", ["text; DROP TABLE prediction_logs", "pg_sleep(1)", "*", "", "metadata"])
def test_only_columns_of_the_table_can_be_named(database: Engine, name: str) -> None:
    with (
        transaction(database) as session,
        pytest.raises(UnknownNameError, match="prediction_logs has no column"),
    ):
        rows_of(session, "prediction_logs", columns=["id", name])


@pytest.mark.parametrize("rows", [0, 1, 3, 7])
def test_all_rows_are_read_in_key_order(database: Engine, rows: int) -> None:
    made = [prediction() for _ in range(rows)]
    with transaction(database) as session:
        store_predictions(session, made)
        read = list(rows_of(session, "prediction_logs", columns=["tokens", "id"], page_rows=3))
    assert [row["id"] for row in read] == sorted(one.prediction_id for one in made)
    assert all(list(row) == ["tokens", "id"] for row in read)


@pytest.mark.parametrize("table", sorted(Record.metadata.tables))
def test_every_table_can_be_exported(database: Engine, table: str) -> None:
    with transaction(database) as session:
        fill(session)
        (row,) = rows_of(session, table)
    assert list(row) == Record.metadata.tables[table].columns.keys()


def fill(session: Session) -> None:
    store_predictions(session, [prediction()])
    record_deployment(session, deployment())
    record_experiment_run(
        session,
        run_id=str(uuid4()),
        experiment="e",
        status="FINISHED",
        parameters={},
        metrics={},
        started_at=datetime.now(UTC),
    )
    record_dataset_metrics(session, dataset="d", fingerprint="f", split="test", rows=1, metrics={})
    raise_alert(session, kind="k", cause="c", severity="info", message="m", details={})
