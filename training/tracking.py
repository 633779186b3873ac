"""Record runs in MLflow and register the models that passed the gate.

The store is a local SQLite file unless MLFLOW_TRACKING_URI names another. MLflow takes seconds to import, so
it is imported when a run starts.
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
CANDIDATE = "candidate"  # passed the gate, but nobody has decided yet that it shall answer
_VERSION_TAG = "model_version"  # of a registered version: the artifact's, which its card names
# MLflow reads these when it is imported; a value that is already set stays.
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
        """Keep these files with the run, in a folder of its artifacts."""
        import mlflow

        for file in files:
            mlflow.log_artifact(str(file), folder)

    @contextmanager
    def child(self, name: str, parameters: Mapping[str, Any]) -> Iterator["Run"]:
        """Record what happens inside as a run nested in this one; an exception marks it failed."""
        import mlflow

        experiment = mlflow.active_run().info.experiment_id  # else it would lie in the default one
        with mlflow.start_run(run_name=name, nested=True, experiment_id=experiment) as run:
            mlflow.log_params(dict(parameters))
            yield Run(run.info.run_id)

    def register(self, folder: Path, card: Mapping[str, Any], alias: str = CANDIDATE) -> str:
        """Log the artifact in `folder`, register its graph and give that version the alias.

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
def track(
    config: TrainingConfig, fingerprint: str, *, run_id: str | None = None, name: str | None = None
) -> Iterator[Run]:
    """Record what happens inside as one run (`run_id`: go on with that one); an exception marks it failed."""
    with store(config.artifacts) as artifact_root:
        import mlflow

        known = run_id if run_id and _exists(run_id) else None
        with mlflow.start_run(run_id=known, experiment_id=_experiment(artifact_root), run_name=name) as run:
            if known is None:
                mlflow.log_params(config.recipe() | {"data_fingerprint": fingerprint})
            yield Run(run.info.run_id)


@contextmanager
def store(artifacts: Path) -> Iterator[str | None]:
    """Let what happens inside use the MLflow store in `artifacts`, or the one that the environment names.

    Gives where the files of a new experiment belong; None leaves that to the store.
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
        if local:  # MLflow also put it into the environment, where the next run would find it
            mlflow.set_tracking_uri(None)


def check_registry(artifacts: Path) -> None:
    """Ask the registry for anything at all; raises RegistryError, after seconds, when it does not answer."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    with store(artifacts):
        import mlflow

        try:
            mlflow.MlflowClient().search_registered_models(max_results=1)
        except mlflow.MlflowException as error:
            reason = shorten(str(error), 160, placeholder="…")
            raise RegistryError(
                f"MLflow's registry at {mlflow.get_registry_uri()} does not answer ({reason}), so nothing "
                "was changed; start it, mend MLFLOW_TRACKING_URI, or unset that to use the one in "
                f"{artifacts}"
            ) from error


def point_aliases(artifacts: Path, *, champion: str, previous: str | None) -> bool:
    """Give the aliases to the registered versions of these models; return whether the champion is registered.

    The champion's alias is never absent in between, and doing it again changes nothing.
    """
    with store(artifacts):
        import mlflow

        client = mlflow.MlflowClient()
        found = client.search_model_versions(f"name = '{MODEL_NAME}'")
        numbers_of = {version.tags.get(_VERSION_TAG): version.version for version in reversed(found)}
        if previous in numbers_of:
            client.set_registered_model_alias(MODEL_NAME, PREVIOUS, numbers_of[previous])
        if champion not in numbers_of:
            return False
        client.set_registered_model_alias(MODEL_NAME, CHAMPION, numbers_of[champion])
        aliases = client.get_registered_model(MODEL_NAME).aliases
        if aliases.get(CANDIDATE) == numbers_of[champion]:
            client.delete_registered_model_alias(MODEL_NAME, CANDIDATE)
    return True


def _experiment(artifact_root: str | None) -> str:
    """Return the id of this project's experiment; one that is made keeps its files in `artifact_root`."""
    import mlflow

    found = mlflow.get_experiment_by_name(MODEL_NAME)
    if found is not None:
        return str(found.experiment_id)
    return str(mlflow.create_experiment(MODEL_NAME, artifact_location=artifact_root))


def _exists(run_id: str) -> bool:
    import mlflow

    try:
        mlflow.get_run(run_id)
    except mlflow.MlflowException:
        return False
    return True
