"""`sentiment promote`: make a candidate the champion on this machine, if it is not worse.

`training.registry.promotion` compares the two models, `training.registry.registry` promotes and records.
`make deploy` then builds the image of the champion.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from sentiment.exceptions import ConfigurationError

if TYPE_CHECKING:
    from sentiment.database.session import DatabaseSettings

    from training.registry.promotion import Comparison, Feedback

NOT_PROMOTED = 7  # exit code
Artifacts = Annotated[Path, typer.Option(help="Folder that training publishes to.")]


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        epilog="Examples: [bold]sentiment promote[/] | "
        "[bold]sentiment promote 20261125-da8cdb52 --margin 1[/] | "
        '[bold]sentiment promote --force --why "half the latency"[/]. '
        f"Exit codes: {NOT_PROMOTED} the candidate may be worse by more than the margin, 3 it does not "
        "pass the gate on this machine, 4 a model cannot be used."
    )(promote)


def promote(
    version: Annotated[
        str | None,
        typer.Argument(help="Default: the newest version that has never served.", show_default=False),
    ] = None,
    margin: Annotated[
        float, typer.Option(min=0, max=100, help="Accepted loss of accuracy, in percentage points.")
    ] = 2.0,
    force: Annotated[bool, typer.Option("--force", help="Promote it even if it may be worse.")] = False,
    why: Annotated[str | None, typer.Option(help="The recorded reason; required with --force.")] = None,
    artifacts: Artifacts = Path("artifacts"),
) -> None:
    """Compare a candidate with the champion on rows neither was trained on; promote it if it is not worse."""
    if force and not (why and why.strip()):
        raise typer.BadParameter("give a reason with --why; it is recorded", param_hint="--force")
    from local.deployment import current_user
    from training.errors import TrainingError
    from training.evaluation import served
    from training.export.artifact import champion_of
    from training.progress import RichProgress
    from training.registry import promotion, registry

    console = Console()
    chosen = version or registry.newest_candidate(artifacts)
    if Path(chosen).name != chosen:
        raise ConfigurationError(
            f"{chosen} is not a version; give the name of a folder in {artifacts / 'models'}"
        )
    candidate_artifact = served.read_artifact(artifacts / "models" / chosen)
    champion_version = champion_of(artifacts)
    if champion_version == chosen:
        registry.promote(artifacts, chosen, "promoted", by=current_user(), why=why)
        console.print(f"{chosen} is already the champion", highlight=False)
        return
    comparison = feedback_note = comparison_error = None
    with RichProgress(Console(stderr=True)) as progress:
        candidate = served.ServedModel(candidate_artifact, progress)
        gate = promotion.check_gate(candidate)
        if champion_version is not None:
            feedback, feedback_note = _feedback()
            try:
                artifact = served.read_artifact((artifacts / "model").resolve())
                comparison = promotion.compare(served.ServedModel(artifact, progress), candidate, feedback)
            except TrainingError as error:  # a damaged champion, other labels, no row in common
                if not force:
                    raise
                comparison_error = error
    console.print(
        f"gate on this machine, {gate['rows']:,} rows: int8 loses {100 * gate['accuracy_loss']:.2f} points, "
        f"flips {gate['flipped']:.1%}",
        highlight=False,
    )
    allowed = comparison_error is None
    if comparison_error:
        console.print(f"not compared: {comparison_error}", highlight=False, soft_wrap=True)
    if comparison is not None:
        _show(console, str(champion_version), chosen, comparison, feedback_note)
        allowed = comparison.allows(margin / 100)
        if not allowed and not force:
            console.print(
                f"[yellow]not promoted:[/] {chosen} may be {-100 * comparison.low:.1f} points worse, and "
                f"--margin allows {margin:g}. Train longer, label more data, or use --force --why …",
                highlight=False,
                soft_wrap=True,
            )
            sys.exit(NOT_PROMOTED)
    registered = registry.promote(
        artifacts,
        chosen,
        "promoted" if allowed else "forced",
        by=current_user(),
        why=why,
        comparison=comparison.as_dict() if comparison else None,
    )
    console.print(
        f"[green]✓[/] {chosen} is the champion; `make up` serves it and `make deploy` builds its image"
        + ("" if registered else " (it is not in the MLflow registry, so no alias was moved)"),
        highlight=False,
        soft_wrap=True,
    )


def restore_previous(artifacts: Path, why: str) -> None:
    """Make the previous champion the champion again, and record the reason."""
    from local.deployment import current_user
    from training.evaluation import served
    from training.registry import registry

    previous = registry.previous_champion(artifacts)
    if previous is None:
        raise ConfigurationError(
            f"no model served before the one in {artifacts / 'model'}; `sentiment promote VERSION` promotes "
            "another one"
        )
    served.read_artifact(artifacts / "models" / previous)
    registry.promote(artifacts, previous, "rolled_back", by=current_user(), why=why)
    Console().print(
        f"[green]✓[/] {previous} is the champion; restart the system to serve it", highlight=False
    )


def _feedback() -> tuple[list["Feedback"], str | None]:
    """Return the labeled predictions, and a note if there is no database."""
    from sentiment.database.feedback import labeled_texts
    from sentiment.database.session import make_engine, transaction

    from training.registry.promotion import Feedback

    with _database() as settings:
        if settings is None:
            return [], "there is no database yet, so no labeled predictions were compared"
        engine = make_engine(settings)
        try:
            with transaction(engine) as session:
                labeled = list(labeled_texts(session))
        finally:
            engine.dispose()
    return [Feedback(row.text, row.label, row.given_at) for row in labeled], None


@contextmanager
def _database() -> Iterator["DatabaseSettings | None"]:
    """Yield the configured or running database, else that of the stopped local system, else None."""
    from sentiment.database.session import DatabaseSettings
    from sentiment.settings import read_settings

    if os.environ.get("DATABASE_HOST"):
        yield read_settings(DatabaseSettings)
        return
    from local.postgres.server import running_postgres
    from local.settings import local_settings
    from local.state import read_environment

    folder = local_settings().up_folder
    password = read_environment(folder / "secrets.env").get("DATABASE_PASSWORD")
    if password is None or not (folder / "postgres" / "data").is_dir():
        yield None
        return
    with running_postgres(folder / "postgres", password=password) as server:
        values = {name.lower(): value for name, value in server.environment().items()}
        yield DatabaseSettings.model_validate(values)


def _show(
    console: Console, champion: str, candidate: str, comparison: "Comparison", feedback_note: str | None
) -> None:
    table = Table("", "model", "accuracy", title=f"{comparison.held_out + comparison.feedback:,} rows")
    table.add_row("champion", champion, f"{comparison.champion_accuracy:.1%}")
    table.add_row("candidate", candidate, f"{comparison.candidate_accuracy:.1%}")
    console.print(table)
    console.print(
        f"difference {100 * comparison.difference:+.1f} points (95% interval {100 * comparison.low:+.1f} to "
        f"{100 * comparison.high:+.1f}); different decisions: {comparison.decided_differently:.1%}; "
        f"{comparison.held_out:,} rows held out of both, {comparison.feedback:,} labeled predictions",
        highlight=False,
        soft_wrap=True,
    )
    if feedback_note:
        console.print(f"[dim]{feedback_note}[/]", highlight=False, soft_wrap=True)
