"""Does what the training's state machine asks for: trains again when the drift monitor started an execution.

One training at a time: as the served model was trained, by the recipe in its card, with the rows that
feedback labelled added. What comes of it is a candidate like that of any other training: `sentiment promote`
compares it with the model that serves. `python -m local.retraining RECIPE` is that training, in a process of
its own.
"""

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from local.processes import stop
from local.system import System

logger = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
FINISH_SECONDS = 5.0
# What the card says of a training that is no option of the next one: what was measured, and what sources
# weighed, whose names belong to that training's files.
OF_THAT_RUN = {
    "run_key",
    "steps",
    "seconds",
    "resumed_from_step",
    "trained_in",
    "processes",
    "source_weights",
}


class Retraining:
    """Watches the state machine from a thread of its own; `tell` hears when a training starts and ends."""

    def __init__(self, system: System, *, data: str | None, tell: Callable[[str], None]) -> None:
        self._system, self._data, self._tell = system, data, tell
        self._sqs, self._step_functions = (system.aws.client(name) for name in ("sqs", "stepfunctions"))
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="retraining", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching, and a training with it."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(FINISH_SECONDS)

    def train_next(self) -> bool:
        """Train for the execution that waits longest, and end it; return whether there was one."""
        queue_url = self._system.aws.training_queue_url
        for message in self._sqs.receive_message(QueueUrl=queue_url).get("Messages", []):
            self._sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
            work = json.loads(message["Body"])
            problem = "it was not finished"
            try:
                problem = self._train(work["name"], work["input"])
            finally:
                self._end(work["token"], problem)
            return True
        return False

    def _end(self, token: str, problem: str) -> None:
        if problem:
            self._step_functions.send_task_failure(taskToken=token, error="NotPublished", cause=problem)
        else:
            self._step_functions.send_task_success(taskToken=token, output="{}")

    def _train(self, name: str, given: Mapping[str, Any]) -> str:
        """Train and return why nothing was published, which is "" when something was."""
        folder = self._system.folder / "retraining"
        folder.mkdir(exist_ok=True)
        recipe = recipe_of(self._system.card, self._data)
        if uri := given.get("extra_data_uri"):
            recipe["extra_data"] = [str(self._download(uri, folder / f"{name}.csv"))]
        path = folder / f"{name}.json"
        path.write_text(json.dumps(recipe | {"artifacts": str(self._system.model_dir.parent)}, indent=2))
        log = self._system.folder / "logs" / f"retraining-{name}.log"
        added = f" and the labels of {uri}" if uri else ""
        self._tell(f"retraining {name}: from {recipe['data']}{added}, by {path}; its output is in {log}")
        started = time.monotonic()
        process = self._system.processes.start(
            [sys.executable, "-m", "local.retraining", path],
            log=log,
            environment=os.environ,
            folder=Path.cwd(),
        )
        code = self._wait(process)
        problem = {0: "", None: "cut off, as the system stops"}.get(code, f"exit code {code}, see {log}")
        outcome = (
            f"nothing published, {problem}"
            if problem
            else "published as a candidate; `sentiment promote` compares it"
        )
        self._tell(f"retraining {name}: {outcome} ({time.monotonic() - started:.0f} s)")
        return problem

    def _wait(self, process: "subprocess.Popen[bytes]") -> int | None:
        """Return its exit code, or None when it was stopped together with the system."""
        while process.poll() is None:
            if self._stopping.wait(0.2):
                stop(process)
                return None
        return process.returncode

    def _download(self, uri: str, path: Path) -> Path:
        parts = urlsplit(uri)
        self._system.aws.client("s3").download_file(parts.netloc, parts.path.lstrip("/"), str(path))
        return path

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            try:
                self.train_next()
            except (BotoCoreError, ClientError, OSError, ValueError) as error:
                logger.warning("no retraining: %s", error)


def recipe_of(card: Mapping[str, Any], data: str | None = None) -> dict[str, Any]:
    """Return the options by which the model of this card was trained; `data` replaces the card's."""
    recipe = {name: value for name, value in card["training"].items() if name not in OF_THAT_RUN}
    return {**card["data"]["options"], **recipe, "data": data or card["data"]["name"]}


def main(path: Path) -> int:
    """Train by the recipe in the file and return the exit code of `python -m training train`."""
    from rich.console import Console

    from training.config import configure
    from training.errors import TrainingError
    from training.pipeline import run
    from training.progress import RichProgress

    try:
        with RichProgress(Console(stderr=True)) as progress:
            artifact = run(configure(**json.loads(path.read_text())), progress)
    except TrainingError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{artifact.folder}: {json.dumps(artifact.card['metrics'])}")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
