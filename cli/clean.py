"""`sentiment clean-data`: delete what cannot be rebuilt. `make clean` deletes the rest.

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
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    artifacts: Annotated[
        Path, typer.Option(help="Folder with the models, the training runs and MLflow's store.")
    ] = Path("artifacts"),
) -> None:
    """Delete all models, training runs, predictions and labels of this folder; asks first.

    Stored predictions and labels are in STATE_DIR (.local). Refuses while a system runs on it. A database
    that DATABASE_HOST names and a store that MLFLOW_TRACKING_URI names are left alone.
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
    """Fail, naming the process, while a system runs in this folder."""
    from local.state import running_owner

    for folder in _state_folders():
        owner = running_owner(folder)
        if owner is not None:
            raise ConfigurationError(
                f"a system runs on {folder} (process {owner}), so nothing was deleted; stop it first "
                "(Ctrl-C in its terminal)"
            )


@contextmanager
def _nothing_running() -> Iterator[None]:
    """Own every state folder, so that no system starts meanwhile, and end what killed ones left running."""
    from local.state import owned_state

    with ExitStack() as stack:
        for folder in _state_folders():
            stack.enter_context(owned_state(folder))
        yield


def _state_folders() -> list[Path]:
    """Return the folders on which a system runs or ran: STATE_DIR's, and the default's if that is another."""
    from local.settings import LocalSettings, local_settings

    roots = {local_settings().state_dir, Path(LocalSettings.model_fields["state_dir"].default)}
    return sorted(path.parent for root in roots for path in root.glob("*/owner.pid"))


def _delete(folder: Path) -> None:
    """Delete a folder; of a link to one, such as to a larger disk, what it points at too."""
    target = folder.resolve()
    if folder.is_symlink():
        folder.unlink()
    shutil.rmtree(target)
