import pytest
from sentiment.database.alerts import raise_alert
from sentiment.database.deployments import record_deployment
from sentiment.database.feedback import store_feedback
from sentiment.database.models import PredictionLog, Record
from sentiment.database.predictions import store_predictions
from sentiment.database.session import transaction
from sentiment.database.tables import count_rows
from sentiment.exceptions import DatabaseError
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from tests.fixtures.messages import feedback, prediction
from tests.fixtures.rows import deployment


def test_query_functions_never_commit(database: Engine) -> None:
    made = prediction()
    with Session(database) as session:
        store_predictions(session, [made])
        store_feedback(session, [feedback(made.prediction_id)])
        record_deployment(session, deployment())
        raise_alert(session, kind="k", cause="c", severity="info", message="m", details={})
        session.rollback()
        assert {name: count_rows(session, name) for name in Record.metadata.tables} == dict.fromkeys(
            Record.metadata.tables, 0
        )


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
def test_constraints_reject_invalid_rows(
    database: Engine, changes: dict[str, object], constraint: str
) -> None:
    values = prediction().model_dump(exclude={"type"})
    values["id"] = values.pop("prediction_id")
    with (
        pytest.raises(DatabaseError, match=f"ck_prediction_logs_{constraint}"),
        transaction(database) as session,
    ):
        session.add(PredictionLog(**{**values, **changes}))
