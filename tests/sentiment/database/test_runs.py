from datetime import UTC, datetime

from sentiment.database.models import DatasetMetric, ExperimentRun
from sentiment.database.runs import record_dataset_metrics, record_experiment_run
from sentiment.database.session import transaction
from sqlalchemy import Engine, select


def test_a_run_is_stored_once_and_updated(database: Engine) -> None:
    run = {
        "run_id": "abc",
        "experiment": "sentiment",
        "parameters": {"learning_rate": 2e-4},
        "started_at": datetime.now(UTC),
    }
    with transaction(database) as session:
        record_experiment_run(session, **run, status="RUNNING", metrics={})
        record_experiment_run(session, **run, status="FINISHED", metrics={"accuracy": 0.87})
    with transaction(database) as session:
        (stored,) = session.scalars(select(ExperimentRun))
        assert (stored.status, stored.metrics) == ("FINISHED", {"accuracy": 0.87})


def test_metrics_of_a_split_are_stored_once_per_fingerprint(database: Engine) -> None:
    with transaction(database) as session:
        for rows in (10, 12):
            record_dataset_metrics(
                session, dataset="embedded", fingerprint="sha256:00", split="test", rows=rows, metrics={}
            )
    with transaction(database) as session:
        assert session.scalars(select(DatasetMetric.rows)).all() == [12]
