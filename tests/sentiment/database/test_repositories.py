from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sentiment.database import repositories
from sentiment.database.history import find_predictions
from sentiment.database.models import (
    DatasetMetric,
    ExperimentRun,
    ModelDeployment,
    PredictionLog,
    Record,
)
from sentiment.database.rollbacks import deployment_before
from sentiment.database.session import transaction
from sentiment.database.windows import Window, summarize_predictions
from sentiment.exceptions import DatabaseError, UnknownNameError
from sqlalchemy import Engine, event, select
from sqlalchemy.orm import Session

from tests.fixtures.messages import feedback, prediction, uuid7

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


def test_repositories_never_commit(database: Engine) -> None:
    made = prediction()
    with Session(database) as session:
        repositories.store_predictions(session, [made])
        repositories.store_feedback(session, [feedback(made.prediction_id)])
        repositories.record_deployment(session, deployment())
        repositories.raise_alert(session, kind="k", cause="c", severity="info", message="m", details={})
        session.rollback()
        assert {
            name: repositories.count_rows(session, name) for name in Record.metadata.tables
        } == dict.fromkeys(Record.metadata.tables, 0)


def test_nothing_to_store_asks_nothing_of_postgres(database: Engine) -> None:
    with Session(database) as session:
        repositories.store_predictions(session, [])
        assert repositories.store_feedback(session, []) == set()
        assert not session.in_transaction()


def test_a_batch_is_one_statement(database: Engine) -> None:
    statements: list[str] = []
    event.listen(database, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    with transaction(database) as session:
        repositories.store_predictions(session, [prediction() for _ in range(500)])
    assert len(statements) == 1
    assert "ON CONFLICT (id) DO NOTHING" in statements[0]


def test_the_newest_predictions_are_read_in_pages(database: Engine) -> None:
    start = datetime.now(UTC) - timedelta(seconds=10)
    made = [
        prediction(start + timedelta(seconds=number), model_version=f"v{number % 2}") for number in range(7)
    ]
    newest_first = [one.prediction_id for one in reversed(made)]
    with transaction(database) as session:
        repositories.store_predictions(session, made)

        page = find_predictions(session, limit=4)
        rest = find_predictions(session, limit=20, before=page[-1].id)
        of_one_model = find_predictions(session, limit=20, model_version="v1")

        assert [row.id for row in [*page, *rest]] == newest_first
        assert [row.model_version for row in of_one_model] == ["v1"] * 3


def test_predictions_are_counted_by_sentiment_and_since(database: Engine) -> None:
    with transaction(database) as session:
        now = datetime.now(UTC)
        old = prediction(now - timedelta(seconds=5))
        new = [prediction(now), prediction(now), prediction(now, sentiment="negative")]
        repositories.store_predictions(session, [old, *new])

        until = now + timedelta(seconds=1)
        counted = [
            summarize_predictions(session, Window(since, until))["by_sentiment"]
            for since in (now - timedelta(hours=1), now - timedelta(seconds=1))
        ]
        assert counted == [{"positive": 3, "negative": 1}, {"positive": 2, "negative": 1}]


def test_stored_ids_tells_which_are_there(database: Engine) -> None:
    made, missing = prediction(), uuid7()
    with transaction(database) as session:
        repositories.store_predictions(session, [made])
        assert repositories.stored_ids(session, [made.prediction_id, missing]) == {made.prediction_id}


@pytest.mark.parametrize("name", INJECTIONS)
def test_a_table_is_chosen_among_the_models_only(database: Engine, name: str) -> None:
    with transaction(database) as session:
        for ask in (repositories.count_rows, repositories.rows_of):
            with pytest.raises(UnknownNameError, match="there are dataset_metrics, experiment_runs"):
                ask(session, name)
        assert not session.in_transaction() or session.connection().exec_driver_sql("SELECT 1").scalar() == 1
        assert repositories.count_rows(session, "prediction_logs") == 0


@pytest.mark.parametrize("name", ["text; DROP TABLE prediction_logs", "pg_sleep(1)", "*", "", "metadata"])
def test_a_column_is_chosen_among_the_tables_own_only(database: Engine, name: str) -> None:
    with (
        transaction(database) as session,
        pytest.raises(UnknownNameError, match="prediction_logs has no column"),
    ):
        repositories.rows_of(session, "prediction_logs", columns=["id", name])


@pytest.mark.parametrize("rows", [0, 1, 3, 7])
def test_a_table_is_read_whole_in_the_order_of_its_key(database: Engine, rows: int) -> None:
    made = [prediction() for _ in range(rows)]
    with transaction(database) as session:
        repositories.store_predictions(session, made)
        read = list(repositories.rows_of(session, "prediction_logs", columns=["tokens", "id"], page_rows=3))
    assert [row["id"] for row in read] == sorted(one.prediction_id for one in made)
    assert all(list(row) == ["tokens", "id"] for row in read)


@pytest.mark.parametrize("table", sorted(Record.metadata.tables))
def test_every_table_can_be_exported(database: Engine, table: str) -> None:
    with transaction(database) as session:
        fill(session)
        (row,) = repositories.rows_of(session, table)
    assert list(row) == Record.metadata.tables[table].columns.keys()


def test_a_new_deployment_retires_the_one_before_of_its_type(database: Engine) -> None:
    with transaction(database) as session:
        for version, kind in [("v1", "champion"), ("v2", "canary"), ("v3", "champion")]:
            repositories.record_deployment(session, deployment(model_version=version, deployment_type=kind))

    with transaction(database) as session:
        assert active_version(session, "champion") == "v3"
        assert active_version(session, "canary") == "v2"
        assert active_version(session, "shadow") is None
        (retired,) = session.scalars(select(ModelDeployment).where(~ModelDeployment.is_active))
        assert (retired.model_version, retired.retired_at is not None) == ("v1", True)


def test_a_champion_retires_the_candidate_it_was_and_no_other(database: Engine) -> None:
    with transaction(database) as session:
        repositories.record_deployment(session, deployment(model_version="v2", deployment_type="candidate"))
        repositories.record_deployment(session, deployment(model_version="v1"))
        assert active_version(session, "candidate") == "v2"
        repositories.record_deployment(session, deployment(model_version="v2"))
        assert active_version(session, "candidate") is None
        assert active_version(session, "champion") == "v2"


def test_a_rollback_goes_to_the_latest_champion_of_a_lower_version(database: Engine) -> None:
    started = datetime.now(UTC)
    released = ["3", "4", "5", "4", "10"]  # 5 was bad and rolled back from
    with transaction(database) as session:
        repositories.record_deployment(session, deployment(deployment_type="canary", function_version="2"))
        repositories.record_deployment(session, deployment())  # on a laptop
        for number, version in enumerate(released):
            at = started + timedelta(minutes=number)
            row = deployment(function_version=version, deployed_at=at, model_version=f"step-{number}")
            repositories.record_deployment(session, row)
        before = {version: deployment_before(session, version) for version in (11, 10, 4, 3)}
        found = {version: row and row.model_version for version, row in before.items()}
    assert found == {11: "step-4", 10: "step-3", 4: "step-0", 3: None}


def test_two_active_deployments_of_a_type_are_impossible(database: Engine) -> None:
    with pytest.raises(DatabaseError, match="uq_model_deployments_active"), transaction(database) as session:
        session.add_all([deployment(), deployment()])


def test_a_run_is_mirrored_once_and_brought_up_to_date(database: Engine) -> None:
    run = {
        "run_id": "abc",
        "experiment": "sentiment",
        "parameters": {"learning_rate": 2e-4},
        "started_at": datetime.now(UTC),
    }
    with transaction(database) as session:
        repositories.record_experiment_run(session, **run, status="RUNNING", metrics={})
        repositories.record_experiment_run(session, **run, status="FINISHED", metrics={"accuracy": 0.87})
    with transaction(database) as session:
        (stored,) = session.scalars(select(ExperimentRun))
        assert (stored.status, stored.metrics) == ("FINISHED", {"accuracy": 0.87})


def test_metrics_of_a_split_are_stored_once_per_fingerprint(database: Engine) -> None:
    with transaction(database) as session:
        for rows in (10, 12):
            repositories.record_dataset_metrics(
                session, dataset="embedded", fingerprint="sha256:00", split="test", rows=rows, metrics={}
            )
    with transaction(database) as session:
        assert session.scalars(select(DatasetMetric.rows)).all() == [12]


def test_the_same_cause_has_one_open_alert(database: Engine) -> None:
    def raise_one(session: Session, message: str) -> UUID:
        return repositories.raise_alert(
            session, kind="drift", cause="confidence", severity="warning", message=message, details={}
        ).id

    with transaction(database) as session:
        assert raise_one(session, "first") == raise_one(session, "second")
        assert [alert.message for alert in repositories.open_alerts(session)] == ["second"]
        repositories.resolve_alert(session, kind="drift", cause="confidence")
        assert repositories.open_alerts(session) == []
        raise_one(session, "again")
        assert [alert.message for alert in repositories.open_alerts(session)] == ["again"]


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"confidence": 1.5}, "confidence"),
        ({"characters": 0}, "lengths"),
        ({"inference_time_ms": -1.0}, "inference_time_ms"),
        ({"input_hash": "not a hash"}, "input_hash"),
        ({"feedback_label": "positive"}, "feedback"),
    ],
)
def test_the_schema_itself_refuses_nonsense(
    database: Engine, changes: dict[str, object], constraint: str
) -> None:
    values = prediction().model_dump(exclude={"type"})
    values["id"] = values.pop("prediction_id")
    with (
        pytest.raises(DatabaseError, match=f"ck_prediction_logs_{constraint}"),
        transaction(database) as session,
    ):
        session.add(PredictionLog(**{**values, **changes}))


def deployment(**changes: object) -> ModelDeployment:
    values = {
        "deployment_type": "champion",
        "model_version": "20261123-1a2b3c4d",
        "metrics": {"accuracy": 0.87},
        "artifact_uri": "artifacts/models/20261123-1a2b3c4d",
        "deployed_by": "a test",
    }
    return ModelDeployment(**{**values, **changes})


def active_version(session: Session, deployment_type: str) -> str | None:
    active = repositories.active_deployment(session, deployment_type)
    return active and active.model_version


def fill(session: Session) -> None:
    repositories.store_predictions(session, [prediction()])
    repositories.record_deployment(session, deployment())
    repositories.record_experiment_run(
        session,
        run_id=str(uuid4()),
        experiment="e",
        status="FINISHED",
        parameters={},
        metrics={},
        started_at=datetime.now(UTC),
    )
    repositories.record_dataset_metrics(
        session, dataset="d", fingerprint="f", split="test", rows=1, metrics={}
    )
    repositories.raise_alert(session, kind="k", cause="c", severity="info", message="m", details={})
