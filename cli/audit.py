"""`sentiment audit`: what stands behind one stored answer, from one question to the reports function."""

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
    "reason": "because",
}


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        epilog="Examples: [bold]sentiment audit 01a21116-2b7f-7784-b423-8ade2a464c58[/] | "
        "[bold]sentiment audit ID --url https://… --token …[/] | [bold]sentiment audit ID --json[/]"
    )(audit)


def audit(
    prediction_id: Annotated[str, typer.Argument(help="As the API answered it.")],
    url: Annotated[
        str | None, typer.Option(help="A system's address. Default: the database of DATABASE_*.")
    ] = None,
    token: Annotated[
        str | None, typer.Option(envvar="SENTIMENT_TOKEN", help="Of somebody who may read reports.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="All that is known, for machines.")] = False,
) -> None:
    """Tell which version, data, run and image answered a prediction, and who promoted it."""
    from cli.environment import needed
    from cli.snapshot import Database, Http

    try:
        wanted = UUID(prediction_id)
    except ValueError:
        raise ConfigurationError(
            f"{prediction_id} is no prediction id; give one as the API answered it"
        ) from None
    if url is None:
        needed("DATABASE_HOST", "the Postgres to read; --url asks a running system instead")
    source = Http(url, token=token, timeout_seconds=TIMEOUT_SECONDS) if url else Database()
    answer = source.ask(f"/reports/predictions/{wanted}")
    if as_json:
        print(json.dumps(answer, indent=2))
        return
    table = Table.grid(padding=(0, 2))
    for name, value in _lines(answer):
        table.add_row(Text(name, "bold"), Text(value))
    Console().print(table)


def _lines(answer: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what is known, a name and a value each; what was not recorded says so."""
    prediction, deployment, run = (answer[name] or {} for name in ("prediction", "deployment", "run"))
    known = {
        "prediction": prediction["id"],
        "answered": f"{prediction['sentiment']} ({prediction['confidence']:.1%})",
        "at": prediction["predicted_at"],
        "label given": prediction["feedback_label"] or "none",
        **{title: answer["answered_by"][name] for name, title in ANSWERED_BY.items()},
        "artifact": deployment.get("artifact_uri"),
        "card's metrics": json.dumps(run.get("metrics")) if run else None,
    }
    return [(name, "not recorded" if value is None else str(value)) for name, value in known.items()]
