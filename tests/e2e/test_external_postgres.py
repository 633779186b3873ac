"""The local system on an external Postgres, such as that of compose.yaml."""

from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from sentiment.database.session import DatabaseSettings, transaction
from sentiment.database.tables import count_rows

from local.postgres.server import PostgresServer, running_postgres
from local.progress import Steps
from local.stand_ins.gateway import invoke_api
from local.system import running_system


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PostgresServer]:
    with running_postgres(tmp_path / "external", password="of-the-external-one", durable=False) as server:
        yield server


@pytest.mark.slow
def test_predictions_are_stored_in_it_and_no_other_server_is_started(
    server: PostgresServer, tmp_path: Path, tiny_artifact: Path
) -> None:
    values = {name.lower(): value for name, value in server.environment().items()}
    external = DatabaseSettings.model_validate(values)
    steps, folder = Steps(Console(file=StringIO())), tmp_path / "state"
    with running_system(folder, steps, model_dir=tiny_artifact, external=external) as system:
        assert system.postgres is None
        assert system.engine.url.port == server.port
        status, _, _ = invoke_api(system.api, "POST", "/predict", {"text": "A superb film."})
        assert status == 200
        assert system.event_source.drain(30) == 0
        with transaction(system.engine) as session:
            assert count_rows(session, "prediction_logs") == 1
    assert not (folder / "postgres").exists()
