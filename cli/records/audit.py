"""`sentiment audit`: the provenance of one stored prediction, from the reports function."""

import json
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sentiment.exceptions import ConfigurationError

TIMEOUT_SECONDS = 15.0
ANSWERED_BY = {
    "model_version": "model",
    "data_fingerprint": "trained on",
    "mlflow_run_id": "MLflow run",
    "image_digest": "image",
    "function_version": "function version",
    "promoted_by": "promoted by",
    "promoted_at": "promoted at",
    "reason": "reason",
}


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        epilog="Examples: [bold]sentiment audit 01a21116-2b7f-7784-b423-8ade2a464c58[/] | "
        "[bold]sentiment audit ID --url https://… --token …[/] | [bold]sentiment audit ID --json[/]"
    )(audit)


def audit(
    prediction_id: Annotated[str, typer.Argument(help="The prediction_id of an API response.")],
    url: Annotated[
        str | None, typer.Option(help="Address of a running system. Default: the database of DATABASE_*.")
    ] = None,
    token: Annotated[
        str | None, typer.Option(envvar="SENTIMENT_TOKEN", help="Token of a user who may read reports.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Show the model version, data, run and image behind a prediction, and who promoted the model."""
    from cli.env_vars import required
    from cli.monitoring.reports_client import DatabaseReports, HttpReports

    try:
        identifier = UUID(prediction_id)
    except ValueError:
        raise ConfigurationError(
            f"{prediction_id} is not a prediction id; give the prediction_id of an API response"
        ) from None
    if url is None:
        required("DATABASE_HOST", "the Postgres to read, unless --url names a running system")
    reports = HttpReports(url, token=token, timeout_seconds=TIMEOUT_SECONDS) if url else DatabaseReports()
    audit_record = reports.get(f"/reports/predictions/{identifier}")
    if as_json:
        print(json.dumps(audit_record, indent=2))
        return
    table = Table.grid(padding=(0, 2))
    for name, value in _lines(audit_record):
        table.add_row(Text(name, "bold"), Text(value))
    Console().print(table)


def _lines(record: dict[str, Any]) -> list[tuple[str, str]]:
    """Return names and values; a missing value is "not recorded"."""
    prediction, deployment, run = (record[name] or {} for name in ("prediction", "deployment", "run"))
    values = {
        "prediction": prediction["id"],
        "result": f"{prediction['sentiment']} ({prediction['confidence']:.1%})",
        "predicted at": prediction["predicted_at"],
        "feedback": prediction["feedback_label"] or "none",
        **{title: record["answered_by"][name] for name, title in ANSWERED_BY.items()},
        "artifact": deployment.get("artifact_uri"),
        "metrics": json.dumps(run.get("metrics")) if run else None,
    }
    return [(name, "not recorded" if value is None else str(value)) for name, value in values.items()]
