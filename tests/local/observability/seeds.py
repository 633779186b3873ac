"""Some hours of stored data: predictions, labels, drift runs, counted traffic, an alert, a deployment."""

from datetime import datetime, timedelta
from typing import Any

from sentiment.database.deployments import record_deployment
from sentiment.database.feedback import store_feedback
from sentiment.database.models import ModelDeployment, MonitoringAlert
from sentiment.database.predictions import store_predictions
from sentiment.database.runs import WINDOW_DATASET, WINDOW_SPLIT, record_dataset_metrics
from sentiment.database.traffic import store_traffic
from sqlalchemy.orm import Session

from tests.fixtures.messages import feedback, prediction, traffic

HOURS = 4
PER_HOUR = 10
VERSION = "20261123-1a2b3c4d"


def seed(session: Session, *, until: datetime) -> None:
    """Store `PER_HOUR` predictions in each of the hours before `until`, and a drift run on them."""
    for hour in range(HOURS):
        end = until - timedelta(hours=hour, minutes=1)
        made = [
            prediction(
                end - timedelta(minutes=5 * number),
                sentiment="negative" if number % 3 else "positive",
                predicted_at=end - timedelta(minutes=5 * number),
                model_version=VERSION,
            )
            for number in range(PER_HOUR)
        ]
        store_predictions(session, made)
        store_feedback(session, [feedback(each.prediction_id, label="positive") for each in made[::2]])
        store_traffic(session, [traffic(end, predictions=PER_HOUR)])
        record_dataset_metrics(
            session,
            dataset=WINDOW_DATASET,
            fingerprint=f"{VERSION} {end.isoformat()}",
            split=WINDOW_SPLIT,
            rows=PER_HOUR,
            metrics=drift_run(end, labeled=hour < 2),
        )
    session.add(
        MonitoringAlert(
            kind="data_drift",
            cause=VERSION,
            severity="warning",
            message="Data drift: 2 of 5 input features drifted, above all tokens",
            details={"model_version": VERSION},
            raised_at=until - timedelta(hours=1),
        )
    )
    record_deployment(
        session,
        ModelDeployment(
            deployment_type="champion",
            model_version=VERSION,
            metrics={},
            artifact_uri="file:///model",
            deployed_by="a-user",
            deployed_at=until - timedelta(hours=3),
        ),
    )


def drift_run(until: datetime, *, labeled: bool) -> dict[str, Any]:
    """Return one run's record as the drift monitor writes it."""
    tokens = {"feature": "tokens", "method": "wasserstein", "effect": 0.4, "threshold": 0.1, "drifted": True}
    mix = {"feature": "sentiment", "method": "psi", "effect": 0.01, "threshold": 0.05, "drifted": False}
    shares = {"reference": {"positive": 0.5}, "current": {"positive": 0.33}}
    interval = {"accuracy": 0.9, "low": 0.86, "high": 0.93, "rows": PER_HOUR}
    return {
        "score": 0.5,
        "model_version": VERSION,
        "since": (until - timedelta(hours=1)).isoformat(),
        "until": until.isoformat(),
        "data_drift": {
            "drifted": True,
            "score": 0.6,
            "features": [tokens | {"reference": 180.0, "current": 60.0}],
        },
        "prediction_drift": {"drifted": False, "score": 0.0, "features": [mix | shares]},
        "performance": {
            "drifted": False,
            "reference": {"accuracy": 0.88, "rows": 1000},
            "estimate": interval,
            "labeled": interval | {"expected": 0.9} if labeled else None,
        },
        "phrases": [],
    }
