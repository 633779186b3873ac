"""One registration as the state machine requests it, and its results."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sentiment.database.models import DatasetMetric, ExperimentRun, ModelDeployment
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from functions.registrar.handler import handler
from tests.registrar.conftest import Cloud

EVENT = json.loads((Path(__file__).parents[2] / "events" / "registrar_register_run.json").read_text())

Upload = Callable[[], None]


def register(**changes: Any) -> dict[str, Any]:
    return handler(EVENT | changes, None)


def rows(database: Engine) -> dict[str, int]:
    with Session(database) as session:
        tables = (DatasetMetric, ExperimentRun, ModelDeployment)
        return {
            table.__tablename__: session.scalar(select(func.count()).select_from(table)) or 0
            for table in tables
        }


def nothing_happened(cloud: Cloud, database: Engine) -> bool:
    return not cloud.objects() and not any(rows(database).values()) and not cloud.published()


def card_of(folder: Path) -> dict[str, Any]:
    card: dict[str, Any] = json.loads((folder / "model.json").read_text())
    return card


def edit_card(folder: Path, **changes: Any) -> None:
    (folder / "model.json").write_text(json.dumps(card_of(folder) | changes))
