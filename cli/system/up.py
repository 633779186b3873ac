"""`sentiment up`: the local system until Ctrl-C."""

import sys
import time

import typer
from rich.console import Console


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(epilog="Examples: [bold]sentiment up[/] | [bold]API_PORT=8080 sentiment up[/]")(up)


def up() -> None:
    """Serve the model on http://localhost:8000 with queue and database, until Ctrl-C.

    Address, ports and folders: API_HOST, API_PORT, POSTGRES_PORT, AWS_PORT, MODEL_DIR, STATE_DIR in the
    environment or .env. With DATABASE_HOST (and the other DATABASE_*) it uses that Postgres instead of
    starting one.
    """
    from cli.env_vars import unset_local_system
    from local.background_jobs import running_background_jobs
    from local.processes import claim_port
    from local.progress import Steps
    from local.settings import external_database, function_settings, local_settings
    from local.stand_ins.gateway import running_gateway
    from local.stand_ins.static_site import StaticSite
    from local.state import running_owner
    from local.system import Ports, running_system

    unset_local_system()  # so that the database of a running local system is not taken for an external one
    settings, console = local_settings(), Console(file=sys.stdout)
    if running_owner(settings.up_folder) is None:  # otherwise running_system reports the owner
        claim_port(settings.api_port, user="the API", variable="API_PORT")
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
        monitor_settings={"REPORTS_URL": function_settings().get("REPORTS_URL", url)},
    ) as system:
        with steps.step("load the model"):
            system.check_health()
        try:
            with (
                running_gateway(
                    system.api,
                    system.reports,
                    site=StaticSite(),
                    port=settings.api_port,
                    host=settings.api_host,
                ),
                running_background_jobs(
                    system, settings, report=lambda line: console.print(line, markup=False, soft_wrap=True)
                ),
            ):
                console.print(
                    f"\n[bold green]{system.card['model_version']} is served on {url}[/]\n"
                    f"  web page       {url}/\n"
                    f"  documentation  {url}/docs\n"
                    f'  predict        sentiment predict "A film to remember."\n'
                    f"  stored rows    sentiment rows prediction_logs\n"
                    f"  monitor        sentiment monitor\n"
                    f"  alerts         {system.mail_folder}\n"
                    f"  logs           {system.folder / 'logs'}\n"
                    "Stop with Ctrl-C.",
                    highlight=False,
                )
                while True:
                    time.sleep(3600)
        except KeyboardInterrupt:
            console.print("\nstopping")
