"""`sentiment demo`, `up`, `predict` and `migrate`: the local system and what one does with a running one."""

import json
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from sentiment.exceptions import ConfigurationError, SentimentError
from sentiment.limits import MAX_CHARACTERS

from cdk.function_config import MIGRATIONS


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(
        epilog="Example: [bold]sentiment demo[/]. Takes up to 12 minutes the first time on two cores, of "
        "which training 4, and about one when the model is up to date. Exit code 1 when a check fails."
    )(demo)
    app.command(epilog="Examples: [bold]sentiment up[/] | [bold]API_PORT=8080 sentiment up[/]")(up)
    app.command(epilog='Example: [bold]sentiment predict "A film to remember."[/]')(predict)
    app.command(epilog="Examples: [bold]sentiment migrate[/] | [bold]sentiment migrate --down-to base[/]")(
        migrate
    )


def demo(
    artifacts: Annotated[
        Path, typer.Option(help="Folder with the model; the report goes to demo/ in it.")
    ] = Path("artifacts"),
    reviews: Annotated[int, typer.Option(min=10, help="Held-out reviews to send one by one.")] = 200,
) -> None:
    """Train on real reviews, serve held-out ones through the Lambda runtime, prove that all are stored."""
    from local.demo.demo import run_demo
    from local.settings import local_settings

    # Bound to today's standard output: handlers that run in process have it redirected to their logs.
    run_demo(local_settings(), Console(file=sys.stdout), artifacts=artifacts, singles=reviews)


def up() -> None:
    """Serve the model on http://localhost:8000 with queue and database behind it, until Ctrl-C.

    Address, ports and folders: API_HOST, API_PORT, POSTGRES_PORT, AWS_PORT, MODEL_DIR, STATE_DIR in the
    environment or .env. With DATABASE_HOST (and the other DATABASE_*) it uses that Postgres, not its own.
    """
    from cli.environment import leave_local_system
    from local.background import watching
    from local.processes import claim_port
    from local.settings import external_database, local_settings, passed_on
    from local.stand_ins.gateway import running_gateway
    from local.stand_ins.static_site import WebPage
    from local.state import running_owner
    from local.steps import Steps
    from local.system import Ports, running_system

    leave_local_system()  # one that runs already is no database to build upon
    settings, console = local_settings(), Console(file=sys.stdout)
    if running_owner(settings.up_folder) is None:  # else that is what to say, not that its port is taken
        claim_port(settings.api_port, what="the API", variable="API_PORT")
    ports = Ports(postgres=settings.postgres_port, aws=settings.aws_port)
    steps = Steps(console)
    webhook = settings.slack_webhook_url
    url = f"http://localhost:{settings.api_port}"
    with running_system(
        settings.up_folder,
        steps,
        model_dir=settings.model_dir,
        ports=ports,
        external=external_database(),
        slack_webhook_url=webhook.get_secret_value() if webhook else None,
        judgement={"REPORTS_URL": passed_on().get("REPORTS_URL", url)},
    ) as system:
        with steps.step("load the model"):
            system.check_health()
        try:
            with (
                running_gateway(
                    system.api,
                    system.reports,
                    page=WebPage(),
                    port=settings.api_port,
                    host=settings.api_host,
                ),
                watching(
                    system, settings, tell=lambda line: console.print(line, markup=False, soft_wrap=True)
                ),
            ):
                console.print(
                    f"\n[bold green]{system.card['model_version']} answers on {url}[/]\n"
                    f"  the page       {url}/\n"
                    f"  documentation  {url}/docs\n"
                    f'  try            sentiment predict "A film to remember."\n'
                    f"  what is stored sentiment rows prediction_logs\n"
                    f"  what it does   sentiment monitor\n"
                    f"  alerts         {system.mail}\n"
                    f"  logs           {system.folder / 'logs'}\n"
                    "Ctrl-C stops it.",
                    highlight=False,
                )
                while True:
                    time.sleep(3600)
        except KeyboardInterrupt:
            console.print("\nstopping")


def predict(
    text: Annotated[str, typer.Argument(help=f"1 to {MAX_CHARACTERS:,} characters.")],
    url: Annotated[
        str, typer.Option(envvar="SENTIMENT_URL", help="Address of a running system.")
    ] = "http://localhost:8000",
    timeout_seconds: Annotated[float, typer.Option(min=0.1, help="How long to wait for the answer.")] = 30.0,
) -> None:
    """Ask a running system what it makes of a text. The answer is stored like any other."""
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError(f"{url} is no address; it should begin with http:// or https://")
    body = json.dumps({"text": text, "return_probabilities": True}).encode()
    request = urllib.request.Request(  # noqa: S310 - checked above
        f"{url.rstrip('/')}/predict", data=body, headers={"content-type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout_seconds) as response:  # noqa: S310
            answer = json.load(response)
    except urllib.error.HTTPError as error:
        raise SentimentError(f"{url} answered {error.code}: {_reason(error.read())}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise SentimentError(f"{url} does not answer ({reason}); start it with `sentiment up`") from None
    shares = ", ".join(f"{label} {share:.1%}" for label, share in answer["probabilities"].items())
    Console().print(f"[bold]{answer['sentiment']}[/] ({shares})", highlight=False)
    milliseconds, version = answer["inference_time_ms"], answer["model_version"]
    note = ", read in part" if answer["truncated"] else ""
    Console().print(
        f"[dim]{answer['prediction_id']}, {milliseconds:.0f} ms, {version}{note}[/]",
        highlight=False,
        soft_wrap=True,
    )


def migrate(
    down_to: Annotated[
        str | None, typer.Option(help="Go down to this revision instead; base drops all tables and rows.")
    ] = None,
) -> None:
    """Bring the database that the environment names to the newest schema, and make its partitions."""
    from functions.migrations.handler import handler
    from local.stand_ins.lambda_runtime import Context

    if down_to == "base":
        typer.confirm("This drops every table with all that is stored. Go on?", abort=True)
    event = {"action": "downgrade", "revision": down_to} if down_to else {"action": "upgrade"}
    context = Context("migrate", memory_limit_in_mb=0, deadline=time.monotonic() + MIGRATIONS.timeout_seconds)
    Console().print_json(data=handler(event, context))  # type: ignore[arg-type]


def _reason(body: bytes) -> str:
    try:
        answer = json.loads(body)
    except ValueError:
        return body.decode(errors="replace")[:200]
    if "error" in answer:
        return str(answer["error"].get("message", answer["error"]))
    detail = answer.get("detail", answer)
    return (
        "; ".join(str(item.get("msg", item)) for item in detail) if isinstance(detail, list) else str(detail)
    )
