"""Track runs in MLflow and register the models that passed the gate.

The store is a local SQLite file unless MLFLOW_TRACKING_URI is set. MLflow takes seconds to import, so it is
imported when a run starts.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import Any

from training.config import MODEL_NAME, TrainingConfig
from training.errors import RegistryError
from training.metrics import numbers

CHAMPION = "champion"
PREVIOUS = "previous"  # the champion before
CANDIDATE = "candidate"  # passed the gate, not yet promoted
_VERSION_TAG = "model_version"  # tag of a registered version: the artifact's version
# MLflow reads these at import; values that are already set are kept.
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_LOG_UV_FILES": "false",
    "MLFLOW_UV_AUTO_DETECT": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}


class Run:
    """A running MLflow run."""

    def __init__(self, run_id: str) -> None:
        self.id = run_id

    def log_metrics(self, metrics: Mapping[str, Any], step: int = 0) -> None:
        """Log the numbers among (nested) metrics under dotted names."""
        import mlflow

        mlflow.log_metrics(numbers(metrics), step=step)

    def log_files(self, files: Iterable[Path], folder: str) -> None:
        """Store these files in a folder of the run's artifacts."""
        import mlflow

        for file in files:
            mlflow.log_artifact(str(file), folder)

    @contextmanager
    def child(self, name: str, parameters: Mapping[str, Any]) -> Iterator["Run"]:
        """Track the body as a nested run; an exception marks it as failed."""
        import mlflow

        experiment = mlflow.active_run().info.experiment_id  # otherwise it would be in the default one
        with mlflow.start_run(run_name=name, nested=True, experiment_id=experiment) as run:
            mlflow.log_params(dict(parameters))
            yield Run(run.info.run_id)

    def register(self, folder: Path, card: Mapping[str, Any], alias: str = CANDIDATE) -> str:
        """Log the artifact in `folder`, register its graph and set the alias on that version.

        Returns the registered version. Call it only for a model that passed the gate.
        """
        import mlflow
        import onnx

        self.log_metrics({"test": card["metrics"]})
        mlflow.log_dict(dict(card), "card.json")
        mlflow.log_artifacts(str(folder), "artifact")
        logged = mlflow.onnx.log_model(
            onnx.load(str(folder / "model.onnx")),
            name="model",
            pip_requirements=["onnxruntime"],
            metadata={"model_version": card["model_version"]},
        )
        client = mlflow.MlflowClient()
        if not client.search_registered_models(filter_string=f"name = '{MODEL_NAME}'"):
            client.create_registered_model(MODEL_NAME)
        created = client.create_model_version(
            MODEL_NAME,
            logged.model_uri,
            self.id,
            tags={_VERSION_TAG: card["model_version"], "artifact_uri": folder.resolve().as_uri()},
            model_id=logged.model_id,
            await_creation_for=0,
        )
        client.set_registered_model_alias(MODEL_NAME, alias, created.version)
        return str(created.version)


@contextmanager
def tracked_run(
    config: TrainingConfig, fingerprint: str, *, run_id: str | None = None, name: str | None = None
) -> Iterator[Run]:
    """Track the body as a run, or continue the run `run_id`; an exception marks it as failed."""
    with mlflow_store(config.artifacts) as artifact_root:
        import mlflow

        known = run_id if run_id and _run_exists(run_id) else None
        with mlflow.start_run(run_id=known, experiment_id=_experiment(artifact_root), run_name=name) as run:
            if known is None:
                mlflow.log_params(config.recipe() | {"data_fingerprint": fingerprint})
            yield Run(run.info.run_id)


@contextmanager
def mlflow_store(artifacts: Path) -> Iterator[str | None]:
    """Use the MLflow store in `artifacts`, or the one that MLFLOW_TRACKING_URI names, in the body.

    Yields the artifact location for a new experiment; None leaves it to the store.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    import mlflow

    local = "MLFLOW_TRACKING_URI" not in os.environ
    if local:
        artifacts.mkdir(parents=True, exist_ok=True)
        mlflow.set_tracking_uri(f"sqlite:///{artifacts.resolve() / 'mlflow.db'}")
    try:
        yield (artifacts.resolve() / "mlruns").as_uri() if local else None
    finally:
        if local:  # MLflow also sets the variable, which the next run would read
            mlflow.set_tracking_uri(None)


def check_registry(artifacts: Path) -> None:
    """Check that the registry answers; raises RegistryError after a few seconds if not."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    with mlflow_store(artifacts):
        import mlflow

        try:
            mlflow.MlflowClient().search_registered_models(max_results=1)
        except mlflow.MlflowException as error:
            reason = shorten(str(error), 160, placeholder="…")
            raise RegistryError(
                f"MLflow's registry at {mlflow.get_registry_uri()} does not answer ({reason}); nothing "
                "was changed. Start it, fix MLFLOW_TRACKING_URI, or unset that variable to use the one in "
                f"{artifacts}"
            ) from error


def set_aliases(artifacts: Path, *, champion: str, previous: str | None) -> bool:
    """Set the aliases on the registered versions; return whether the champion is registered.

    The champion's alias is never missing in between. Idempotent.
    """
    with mlflow_store(artifacts):
        import mlflow

        client = mlflow.MlflowClient()
        found = client.search_model_versions(f"name = '{MODEL_NAME}'")
        registered = {version.tags.get(_VERSION_TAG): version.version for version in reversed(found)}
        if previous in registered:
            client.set_registered_model_alias(MODEL_NAME, PREVIOUS, registered[previous])
        if champion not in registered:
            return False
        client.set_registered_model_alias(MODEL_NAME, CHAMPION, registered[champion])
        aliases = client.get_registered_model(MODEL_NAME).aliases
        if aliases.get(CANDIDATE) == registered[champion]:
            client.delete_registered_model_alias(MODEL_NAME, CANDIDATE)
    return True


def _experiment(artifact_root: str | None) -> str:
    """Return the experiment's id; a new experiment stores its files in `artifact_root`."""
    import mlflow

    found = mlflow.get_experiment_by_name(MODEL_NAME)
    if found is not None:
        return str(found.experiment_id)
    return str(mlflow.create_experiment(MODEL_NAME, artifact_location=artifact_root))


def _run_exists(run_id: str) -> bool:
    import mlflow

    try:
        mlflow.get_run(run_id)
    except mlflow.MlflowException:
        return False
    return True
