import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sentiment.database.models import Record
from sentiment.exceptions import ConfigurationError, InvalidInputError
from sqlalchemy import CheckConstraint, Engine, inspect, text

from functions.migrations.handler import handler
from functions.migrations.partitions import add_months

EVENTS = Path(__file__).parents[2] / "events"
TABLES = {
    "prediction_logs",
    "model_deployments",
    "experiment_runs",
    "dataset_metrics",
    "monitoring_alerts",
}
NEWEST = "0007"


def tables(database: Engine) -> set[str]:
    return set(inspect(database).get_table_names()) - {"alembic_version"}


def this_month_and_the_next_two() -> list[str]:
    month = datetime.now(UTC).date().replace(day=1)
    return [f"prediction_logs_{add_months(month, ahead):%Y_%m}" for ahead in range(3)]


def test_upgrade_creates_the_five_tables_and_the_current_partitions(empty_database: Engine) -> None:
    done = handler({"action": "upgrade"}, None)

    partitions = this_month_and_the_next_two()
    assert done["revision"] == NEWEST
    assert done["created"] == partitions
    assert tables(empty_database) == TABLES | {"prediction_logs_default"} | set(partitions)


def test_upgrade_is_the_default_action_and_can_be_repeated(empty_database: Engine) -> None:
    handler({}, None)
    assert handler({}, None)["created"] == []
    assert tables(empty_database) >= TABLES


def test_downgrade_removes_everything_and_upgrade_restores_it(database: Engine) -> None:
    before = tables(database)

    assert handler({"action": "downgrade", "revision": "base"}, None) == {"revision": None}
    assert tables(database) == set()
    handler({"action": "upgrade"}, None)

    assert tables(database) == before


def test_a_downgrade_keeps_every_deployment_that_the_older_schema_allows(database: Engine) -> None:
    insert = text(
        "INSERT INTO model_deployments (deployment_type, model_version, metrics, artifact_uri, deployed_by) "
        "VALUES ('champion', 'v1', '{}', 's3://b/v1', 'a test'), ('candidate', 'v2', '{}', 's3://b/v2', 'us')"
    )
    with database.begin() as connection:
        connection.execute(insert)

    assert handler({"action": "downgrade", "revision": "0001"}, None) == {"revision": "0001"}
    handler({"action": "upgrade"}, None)

    with database.connect() as connection:
        kept = connection.execute(text("SELECT model_version, function_version FROM model_deployments")).all()
    assert kept == [("v1", None)]


def test_recorded_verdicts_keep_their_accuracy_by_labels_when_its_name_changes(database: Engine) -> None:
    handler({"action": "downgrade", "revision": "0006"}, None)
    performance = {"drifted": True, "labelled": {"accuracy": 0.8}, "labels": 60}
    with database.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO dataset_metrics (dataset, fingerprint, split, rows, metrics) "
                "VALUES ('t', 'f', 'window', 1, CAST(:metrics AS jsonb)), ('r', 'g', 'test', 1, '{}')"
            ),
            {"metrics": json.dumps({"performance": performance})},
        )
        connection.execute(
            text(
                "INSERT INTO monitoring_alerts (kind, cause, severity, message, details) "
                "VALUES ('performance', 'v1', 'warning', 'm', CAST(:details AS jsonb))"
            ),
            {"details": json.dumps(performance)},
        )

    handler({"action": "upgrade"}, None)

    renamed = {"drifted": True, "labeled": {"accuracy": 0.8}, "labels": 60}
    with database.connect() as connection:
        metrics = connection.scalars(text("SELECT metrics FROM dataset_metrics ORDER BY fingerprint")).all()
        assert metrics == [{"performance": renamed}, {}]
        assert connection.scalars(text("SELECT details FROM monitoring_alerts")).all() == [renamed]


def test_models_and_migrations_agree(database: Engine) -> None:
    with database.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_server_default": True,
                "include_name": lambda name, kind, _: kind != "table" or "prediction_logs_" not in name,
            },
        )
        assert compare_metadata(context, Record.metadata) == []


def test_models_and_migrations_agree_on_what_alembic_does_not_compare(database: Engine) -> None:
    inspector = inspect(database)
    for table in Record.metadata.sorted_tables:
        checks = {check.name for check in table.constraints if isinstance(check, CheckConstraint)}
        assert {check["name"] for check in inspector.get_check_constraints(table.name)} == checks
        partial = {index.name: index.dialect_options["postgresql"]["where"] for index in table.indexes}
        indexes = inspector.get_indexes(table.name)
        found = {index["name"]: index["dialect_options"].get("postgresql_where") for index in indexes}
        assert {name: str(where).lower() for name, where in partial.items()} == {
            name: str(found[name]).strip("()").lower() for name in partial
        }
        assert inspector.get_pk_constraint(table.name)["name"] == table.primary_key.name


def test_every_table_and_column_has_a_comment(database: Engine) -> None:
    inspector = inspect(database)
    for table in TABLES:
        assert inspector.get_table_comment(table)["text"], table
        for column in inspector.get_columns(table):
            assert column["comment"], f"{table}.{column['name']}"


def test_upgrades_at_the_same_time_wait_for_each_other(empty_database: Engine) -> None:
    from functions.migrations.schema import upgrade

    def migrate(_: int) -> str | None:
        with empty_database.begin() as connection:
            return upgrade(connection)

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(migrate, range(4))) == {NEWEST}


@pytest.mark.parametrize(
    ("event", "fix"),
    [
        ({"action": "drop_everything"}, "use upgrade, downgrade or maintain_partitions"),
        ({"action": "downgrade"}, 'needs a "revision"'),
    ],
)
def test_an_unknown_action_is_rejected(event: dict[str, str], fix: str) -> None:
    with pytest.raises(InvalidInputError, match=fix):
        handler(event, None)


def test_missing_settings_are_named(empty_database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_HOST")
    with pytest.raises(ConfigurationError, match="DATABASE_HOST: is not set"):
        handler({}, None)


@pytest.mark.parametrize("event", sorted(EVENTS.glob("migrations_*.json")), ids=lambda path: path.stem)
def test_the_example_events_are_handled(database: Engine, event: Path) -> None:
    assert handler(json.loads(event.read_text()), None)


def test_the_alembic_command_reads_the_database_from_the_settings(database: Engine) -> None:
    ini = Path(__file__).parents[2] / "functions" / "migrations" / "alembic.ini"
    run = subprocess.run(
        [sys.executable, "-m", "alembic", "-c", ini, "check"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert "No new upgrade operations detected" in run.stdout


def test_imports_only_what_its_group_installs() -> None:
    foreign = ["torch", "fastapi", "onnxruntime", "transformers", "pandas", "numpy", "mlflow"]
    code = f"import sys, functions.migrations.handler; print([m for m in {foreign} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
