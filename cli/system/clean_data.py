"""`sentiment clean-data`: delete the data, which cannot be rebuilt. `make clean` deletes everything else.

Nothing is deleted while a system runs in this folder.
"""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from sentiment.exceptions import ConfigurationError


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(
        "clean-data", epilog="Examples: [bold]sentiment clean-data[/] | [bold]sentiment clean-data --yes[/]"
    )(clean_data)
    app.command("check-stopped", hidden=True)(check_stopped)


def clean_data(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    artifacts: Annotated[
        Path, typer.Option(help="Folder with the models, the training runs and the MLflow store.")
    ] = Path("artifacts"),
) -> None:
    """Delete all models, training runs, predictions and labels of this folder, after confirmation.

    Stored predictions and labels are in STATE_DIR (.local). Fails while a system runs on it. Does not touch
    a database named by DATABASE_HOST or a store named by MLFLOW_TRACKING_URI.
    """
    from local.settings import local_settings

    console = Console()
    check_stopped()
    folders = [folder for folder in (artifacts, local_settings().state_dir) if folder.exists()]
    if not folders:
        console.print("there is no data to delete")
        return
    named = " and ".join(str(folder.absolute()) for folder in folders)
    if not yes:
        typer.confirm(f"Delete all models, training runs, predictions and labels in {named}?", abort=True)
    with _nothing_running():
        for folder in folders:
            _delete(folder)
    console.print(f"deleted {named}", highlight=False, soft_wrap=True)


def check_stopped() -> None:
    """Raise ConfigurationError with the process id while a system runs in this folder."""
    from local.state import running_owner

    for folder in _state_folders():
        if (owner := running_owner(folder)) is not None:
            raise ConfigurationError(
                f"a system runs on {folder} (process {owner}), so nothing was deleted; stop it first "
                "(Ctrl-C in its terminal)"
            )


@contextmanager
def _nothing_running() -> Iterator[None]:
    """Own every state folder, so that no system can start, and end the processes of killed ones."""
    from local.state import owned_state

    with ExitStack() as stack:
        for folder in _state_folders():
            stack.enter_context(owned_state(folder))
        yield


def _state_folders() -> list[Path]:
    """Return the folders on which a system runs or ran, in STATE_DIR and in its default."""
    from local.settings import LocalSettings, local_settings

    roots = {local_settings().state_dir, Path(LocalSettings.model_fields["state_dir"].default)}
    return sorted(path.parent for root in roots for path in root.glob("*/owner.pid"))


def _delete(folder: Path) -> None:
    """Delete a folder; if it is a link, for example to a larger disk, also its target."""
    target = folder.resolve()
    if folder.is_symlink():
        folder.unlink()
    shutil.rmtree(target)
