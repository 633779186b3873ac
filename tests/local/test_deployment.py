"""A prediction on the laptop can be audited as in AWS."""

from pathlib import Path

from sentiment.database.models import DatasetMetric
from sentiment.database.predictions import find_audit, store_predictions
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from local.deployment import read_card, record_champion
from tests.fixtures.messages import prediction
from tests.fixtures.postgres import database, migrated_template, postgres

__all__ = ["database", "migrated_template", "postgres"]


def test_an_audit_leads_from_a_prediction_to_deployment_run_and_data(
    database: Engine, tiny_artifact: Path, tmp_path: Path
) -> None:
    card = read_card(tiny_artifact)
    deployment = record_champion(database, tiny_artifact, card)
    assert record_champion(database, tiny_artifact, card) == deployment, "it is already the active deployment"

    made = prediction(deployment_id=deployment, model_version=card["model_version"])
    with Session(database) as session, session.begin():
        store_predictions(session, [made])
        audit = find_audit(session, made.prediction_id)
        assert audit is not None and audit.run is not None and audit.promotion is not None
        assert audit.promotion.id == deployment
        assert audit.promotion.deployed_by
        assert audit.run.run_id == card["mlflow_run_id"]
        assert audit.run.data_fingerprint == card["data"]["fingerprint"]
        splits = {row.split: row for row in session.scalars(select(DatasetMetric))}
        assert {name: row.rows for name, row in splits.items()} == card["data"]["rows"]
        assert splits["train"].metrics["labels"] == card["data"]["metrics"]["train"]["labels"]
        assert splits["train"].metrics["dropped"] == card["data"]["dropped"]
