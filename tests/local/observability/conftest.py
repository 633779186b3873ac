import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pg8000.dbapi
import pytest
from sentiment.database.session import transaction
from sqlalchemy import Engine

from functions.migrations.logins import refresh_logins
from local.postgres.files import binary
from local.postgres.server import PostgresServer
from local.stand_ins.gateway import running_gateway
from local.system import System
from tests.e2e.conftest import system
from tests.fixtures.postgres import database, migrated_template, postgres
from tests.local.observability.grafana import OBSERVABILITY, load_dashboard
from tests.local.observability.prometheus import Prometheus, program, running_prometheus
from tests.local.observability.seeds import seed

__all__ = ["database", "migrated_template", "postgres", "system"]

READER_PASSWORD = "of-the-reader's"
TRAFFIC_SECONDS, TRAFFIC_ROUNDS = 6, 6


@pytest.fixture(scope="session")
def promtool() -> str:
    return program("promtool")


@pytest.fixture(scope="session")
def dashboard() -> dict[str, Any]:
    return load_dashboard()


@pytest.fixture(scope="session")
def api(system: System) -> Iterator[str]:
    with running_gateway(system.api, system.reports) as url:
        yield url


@pytest.fixture(scope="session")
def prometheus(api: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Prometheus on a running API, after some seconds of all kinds of requests."""
    with running_prometheus(tmp_path_factory.mktemp("prometheus"), target=urlsplit(api).netloc) as server:
        make_traffic(api)  # the first responses are slow, as the model is loaded
        make_traffic(api, seconds=TRAFFIC_SECONDS, rounds=TRAFFIC_ROUNDS)
        yield server


def make_traffic(api: str, *, seconds: float = 0, rounds: int = 1) -> None:
    """Send single texts and batches, some of them truncated, feedback, and invalid requests.

    Continues for at least these seconds and rounds: a rate needs counters that grow between scrapes, also on
    a slow machine.
    """
    until, left = time.monotonic() + seconds, rounds
    with httpx.Client(base_url=api, timeout=30) as client:
        while time.monotonic() < until or left > 0:
            left -= 1
            made = client.post("/predict", json={"text": "A superb film. I saw it twice."})
            assert made.status_code == 200
            batch = {"texts": ["An awful story.", "A dull film. " * 60, "Lovely music, great cast."]}
            assert client.post("/predict/batch", json=batch).status_code == 200
            given = client.post(
                f"/predictions/{made.json()['prediction_id']}/feedback", json={"label": "positive"}
            )
            assert given.status_code == 202
            assert client.post("/predict", json={"text": ""}).status_code == 422
            assert client.get("/nowhere").status_code == 404
            time.sleep(0.25)


@pytest.fixture
def reader(database: Engine, postgres: PostgresServer, tmp_path: Path) -> Iterator[pg8000.dbapi.Connection]:
    """Grafana's connection to seeded tables, with the login that reader.sh creates."""
    name = database.url.database
    assert name is not None
    environment = {
        "PATH": f"{binary('psql').parent}:/usr/bin:/bin",
        "PGHOST": postgres.host,
        "PGPORT": str(postgres.port),
        "PGPASSWORD": postgres.password,
        "POSTGRES_USER": postgres.user,
        "POSTGRES_DB": name,
        "READER_PASSWORD": READER_PASSWORD,
    }
    subprocess.run(["sh", OBSERVABILITY / "reader.sh"], env=environment, check=True)
    with database.begin() as connection:
        refresh_logins(connection)
    with transaction(database) as session:
        seed(session, until=datetime.now(UTC))
    address = {"host": postgres.host, "port": postgres.port, "database": name}
    connection = pg8000.dbapi.Connection("reports", password=READER_PASSWORD, **address)
    yield connection
    connection.close()
    with database.begin() as owner:  # logins are shared by all databases of the server
        owner.exec_driver_sql("ALTER ROLE reports PASSWORD NULL")
