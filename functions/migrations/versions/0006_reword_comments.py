"""Reword the comments of tables and columns."""

from alembic import op

revision = "0006"
down_revision = "0005"

# Old and new comments, by table and by table and column.
TABLES = {
    "prediction_logs": (
        "Every prediction that was answered; one partition per month, dropped past retention",
        "Every prediction that was served; one partition per month, dropped past retention",
    ),
    "model_deployments": (
        "Which model was put where, by whom and when",
        "Which model was deployed, by whom and when",
    ),
    "experiment_runs": (
        "Training runs as MLflow knows them",
        "Training runs, copied from MLflow",
    ),
    "dataset_metrics": (
        "What each split of a data set looked like, and each window of traffic",
        "Metrics of each split of a data set, and of each window of traffic",
    ),
    "monitoring_alerts": (
        "What monitoring found; open until resolved_at is set",
        "Alerts of monitoring; open until resolved_at is set",
    ),
}
COLUMNS = {
    ("prediction_logs", "text"): (
        "The text as the privacy mode lets it through; null if hashed",
        "The text, redacted if the privacy mode says so; null if hashed",
    ),
    ("prediction_logs", "deployment_id"): (
        "The row of model_deployments that answered",
        "The row of model_deployments that served",
    ),
    ("prediction_logs", "correlation_id"): (
        "Ties the request, its logs and this row together",
        "Id of the request, also in its logs and response",
    ),
    ("prediction_logs", "predicted_at"): (
        "When the API answered",
        "When the prediction was made",
    ),
    ("prediction_logs", "unknown_tokens"): (
        "Of the tokens, those that the vocabulary lacks; null before they were counted",
        "Number of tokens that are not in the vocabulary; null if not counted",
    ),
    ("prediction_logs", "novelty"): (
        "Distance to the nearest centroid; 1 familiar text in 100 is beyond 1.5; null: not known",
        "Distance to the nearest centroid; 1 in 100 familiar texts is beyond 1.5; null if unknown",
    ),
    ("prediction_logs", "feedback_label"): (
        "The label a person gave; the latest wins",
        "The label a person gave; the latest counts",
    ),
    ("prediction_logs", "feedback_comment"): (
        "What the person wrote beside the label",
        "The person's comment on the label",
    ),
    ("model_deployments", "deployment_type"): (
        "champion, canary or shadow; candidate: passed the gate, waits to be deployed",
        "champion, canary or shadow; candidate: passed the gate, not deployed yet",
    ),
    ("model_deployments", "is_active"): (
        "Whether it is the one of its type now",
        "Whether it is the active one of its type",
    ),
    ("model_deployments", "metrics"): (
        "The card's metrics when it was deployed",
        "The model card's metrics",
    ),
    ("model_deployments", "reason"): (
        "Why, when it was not an ordinary release",
        "The reason, if it was not an ordinary release",
    ),
    ("model_deployments", "deployed_at"): (
        "When it took traffic",
        "When it received the traffic",
    ),
    ("model_deployments", "retired_at"): (
        "When another one took over",
        "When another one replaced it",
    ),
    ("experiment_runs", "data_fingerprint"): (
        "Fingerprint of the data it was trained on",
        "Fingerprint of the training data",
    ),
    ("experiment_runs", "model_version"): (
        "The model it gave, when one passed the gate",
        "Version of the model, if it passed the gate",
    ),
    ("experiment_runs", "artifact_uri"): (
        "Where MLflow keeps the run's files",
        "Where the run's files are",
    ),
    ("monitoring_alerts", "kind"): (
        "What sort of alert, such as stray_predictions",
        "Kind of alert, such as stray_predictions",
    ),
    ("monitoring_alerts", "cause"): (
        "What exactly raised it; with kind the key of an open alert",
        "The cause; with kind the key of an open alert",
    ),
    ("monitoring_alerts", "message"): (
        "One line for people: what, where, how to mend",
        "One line for people: what, where, how to fix it",
    ),
    ("monitoring_alerts", "details"): (
        "The figures behind it",
        "The measurements behind it",
    ),
    ("monitoring_alerts", "notified_at"): (
        "When people were told last",
        "When the last notification was sent",
    ),
    ("monitoring_alerts", "notified_severity"): (
        "How severe it was when they were told; a higher one is told again",
        "Severity in the last notification; a higher one is notified again",
    ),
    ("monitoring_alerts", "resolved_at"): (
        "When it was over; null while open",
        "When it was resolved; null while open",
    ),
}


def upgrade() -> None:
    """Set the new comments; Postgres changes its catalog only."""
    for table, (old, new) in TABLES.items():
        op.create_table_comment(table, new, existing_comment=old)
    for (table, column), (old, new) in COLUMNS.items():
        op.alter_column(table, column, comment=new, existing_comment=old)


def downgrade() -> None:
    """Restore the old comments."""
    for table, (old, new) in TABLES.items():
        op.create_table_comment(table, old, existing_comment=new)
    for (table, column), (old, new) in COLUMNS.items():
        op.alter_column(table, column, comment=old, existing_comment=new)
