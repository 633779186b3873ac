"""The artifact that the local system serves, and its deployment, run and data set in the database."""

import getpass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sentiment import model_card
from sentiment.database.deployments import active_deployment, record_deployment
from sentiment.database.models import ModelDeployment
from sentiment.database.runs import record_dataset_metrics, record_experiment_run
from sentiment.database.session import transaction
from sentiment.exceptions import ModelError
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from training.config import MODEL_NAME
from training.registry.registry import last_promotion_of


def read_card(model_dir: Path) -> dict[str, Any]:
    """Return the artifact's card; raises ModelError when there is none."""
    if not (model_dir / model_card.CARD_FILE).is_file():
        raise ModelError(f"there is no model in {model_dir}; train one with `sentiment train --quick`")
    try:
        return model_card.read_card(model_dir, model_card.ModelCard).model_dump()
    except ModelError as error:
        raise ModelError(f"{model_dir}: {error}; train again") from None


def record_champion(engine: Engine, model_dir: Path, card: dict[str, Any]) -> UUID:
    """Return the id of this artifact's deployment; records one unless it is the active one."""
    uri = model_dir.resolve().as_uri()
    decision = last_promotion_of(model_dir.parent, card["model_version"])
    with transaction(engine) as session:
        active = active_deployment(session)
        if active is None or (active.model_version, active.artifact_uri) != (card["model_version"], uri):
            active = ModelDeployment(
                deployment_type="champion",
                model_version=card["model_version"],
                metrics=card["metrics"],
                artifact_uri=uri,
                deployed_by=decision.by if decision else current_user(),
                reason=decision.reason if decision else None,
            )
            record_deployment(session, active)
        _record_run(session, card, uri)
        return active.id


def _record_run(session: Session, card: dict[str, Any], uri: str) -> None:
    """Record the run and the data set of the model, as the registrar does in AWS."""
    ended = datetime.fromisoformat(card["created_at"])
    record_experiment_run(
        session,
        run_id=card["mlflow_run_id"] or card["model_version"],
        experiment=MODEL_NAME,
        status="FINISHED",
        parameters=card["training"],
        metrics=card["metrics"],
        data_fingerprint=card["data"]["fingerprint"],
        model_version=card["model_version"],
        artifact_uri=uri,
        started_at=ended - timedelta(seconds=card["training"]["seconds"]),
        ended_at=ended,
    )
    data = card["data"]
    for split, rows in data["rows"].items():
        record_dataset_metrics(
            session,
            dataset=data["name"],
            fingerprint=data["fingerprint"],
            split=split,
            rows=rows,
            metrics={"dropped": data["dropped"], **data.get("metrics", {}).get(split, {})},
        )


def current_user() -> str:
    """Return the name of this machine's user, or "unknown"."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "unknown"
