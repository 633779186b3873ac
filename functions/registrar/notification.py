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
    """Write the message: metrics beside the serving model's, where the artifact is, how to deploy it."""
    card = registration.card
    metrics = card.metrics
    lines = [
        f"Model {card.model_version} passed the gate and is ready to be deployed.",
        "",
        f"Accuracy: {_percent(metrics, 'int8')} as served (int8), {_percent(metrics, 'fp32')} in fp32, "
        f"on {metrics.get('rows', 'an unknown number of')} held-out rows",
    ]
    if registration.champion is not None:
        version, serving = registration.champion
        lines.append(f"Serving now: {version}, {_percent(serving, 'int8')} at its export")
    if card.data is not None:
        lines.append(f"Data: {card.data.name}, {card.data.rows.get('train', 0):,} training rows")
    lines += [
        f"Artifact: {registration.artifact_uri}",
        f"Training: execution {run.execution}" + (f", reason: {run.reason}" if run.reason else ""),
    ]
    if "golden.json" not in card.files:
        lines.append("Warning: it has no golden reviews, so the release check will reject it.")
    command = f"sentiment train --on aws --env <environment> --follow {run.execution_arn}"
    lines += ["", "To deploy it, download it first:", f"  {command}", "  make deploy ENV=<environment>"]
    return "\n".join(lines)


def _percent(metrics: dict[str, Any], graph: str) -> str:
    accuracy = metrics.get(graph, {}).get("accuracy") if isinstance(metrics.get(graph), dict) else None
    return f"{100 * accuracy:.1f}%" if isinstance(accuracy, int | float) else "unknown"
