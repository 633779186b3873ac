"""Reword the comments of tables and columns."""

from alembic import op

revision = "0006"
down_revision = "0005"

TABLES = {
    "prediction_logs": "Every prediction that was served; one partition per month, dropped past retention",
    "model_deployments": "Which model was deployed, by whom and when",
    "experiment_runs": "Training runs, copied from MLflow",
    "dataset_metrics": "Metrics of each split of a data set, and of each window of traffic",
    "monitoring_alerts": "Alerts of monitoring; open until resolved_at is set",
}
COLUMNS = {
    "prediction_logs": {
        "text": "The text, redacted if the privacy mode says so; null if hashed",
        "deployment_id": "The row of model_deployments that served",
        "correlation_id": "Id of the request, also in its logs and response",
        "predicted_at": "When the prediction was made",
        "unknown_tokens": "Number of tokens that are not in the vocabulary; null if not counted",
        "novelty": "Distance to the nearest centroid; 1 in 100 familiar texts is beyond 1.5; null if unknown",
        "feedback_label": "The label a person gave; the latest counts",
        "feedback_comment": "The person's comment on the label",
    },
    "model_deployments": {
        "deployment_type": "champion, canary or shadow; candidate: passed the gate, not deployed yet",
        "is_active": "Whether it is the active one of its type",
        "metrics": "The model card's metrics",
        "reason": "The reason, if it was not an ordinary release",
        "deployed_at": "When it received the traffic",
        "retired_at": "When another one replaced it",
        "artifact_uri": "Where the artifact folder is",
    },
    "experiment_runs": {
        "data_fingerprint": "Fingerprint of the training data",
        "model_version": "Version of the model, if it passed the gate",
        "artifact_uri": "Where the run's files are",
    },
    "monitoring_alerts": {
        "kind": "Kind of alert, such as stray_predictions",
        "cause": "The cause; with kind the key of an open alert",
        "message": "One line for people: what, where, how to fix it",
        "details": "The measurements behind it",
        "notified_at": "When the last notification was sent",
        "notified_severity": "Severity in the last notification; a higher one is notified again",
        "resolved_at": "When it was resolved; null while open",
    },
}


def upgrade() -> None:
    """Set the comments; Postgres changes its catalog only."""
    for table, comment in TABLES.items():
        op.create_table_comment(table, comment)
    for table, comments in COLUMNS.items():
        for column, comment in comments.items():
            op.alter_column(table, column, comment=comment)


def downgrade() -> None:
    """Keep the comments: they are true of the older schema, too."""
