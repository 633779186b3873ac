"""The notification that a new model is ready to be deployed. Plain text, without text from users."""

from typing import Any

from sentiment.notifications import Notification

from functions.registrar.runs import FinishedRun, Registration


def announce(run: FinishedRun, registration: Registration) -> Notification:
    """Return the notification; its attributes let subscribers filter."""
    return Notification(
        f"Model {registration.card.model_version} is ready to be deployed",
        describe(run, registration),
        {"kind": "model_registered", "severity": "info"},
    )


def describe(run: FinishedRun, registration: Registration) -> str:
    """Write the message: how good the model is beside the one that serves, where it is, how to deploy it."""
    card = registration.card
    metrics = card.metrics
    lines = [
        f"Model {card.model_version} passed the gate and waits to be deployed.",
        "",
        f"Accuracy: {_percent(metrics, 'int8')} as served (int8), {_percent(metrics, 'fp32')} in fp32, "
        f"on {metrics.get('rows', 'an unknown number of')} held-out rows",
    ]
    if registration.champion is not None:
        version, serving = registration.champion
        lines.append(f"Serving now: {version} with {_percent(serving, 'int8')} when it was exported")
    if card.data is not None:
        lines.append(f"Data: {card.data.name}, {card.data.rows.get('train', 0):,} rows to train on")
    lines += [
        f"Artifact: {registration.artifact_uri}",
        f"Training: execution {run.execution}" + (f", because: {run.reason}" if run.reason else ""),
    ]
    if "golden.json" not in card.files:
        lines.append("Careful: it has no golden reviews, so a release of it would be refused.")
    fetch = f"sentiment train --on aws --env <environment> --follow {run.execution_arn}"
    lines += ["", "To deploy it, fetch it first:", f"  {fetch}", "  make deploy ENV=<environment>"]
    return "\n".join(lines)


def _percent(metrics: dict[str, Any], graph: str) -> str:
    accuracy = metrics.get(graph, {}).get("accuracy") if isinstance(metrics.get(graph), dict) else None
    return f"{100 * accuracy:.1f}%" if isinstance(accuracy, int | float) else "unknown"
