"""Run the training of a Step Functions execution that the drift monitor started.

One training at a time, with the options in the served model's card and with the labeled feedback added. The
result is a candidate, which `sentiment promote` compares with the champion. The training itself is a separate
process: `python -m local.retraining OPTIONS_FILE`.
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

from local.logs import error_fields
from local.processes import stop
from local.system import System

logger = logging.getLogger(__name__)

POLL_SECONDS = 5.0
FINISH_SECONDS = 5.0
# Fields of the card's training record that are not options: measurements of that run, and the source weights,
# whose names belong to its files.
NOT_OPTIONS = {
    "run_key",
    "steps",
    "seconds",
    "resumed_from_step",
    "trained_in",
    "processes",
    "source_weights",
}


class RetrainingWorker:
    """Polls for executions in a thread; `report` receives a line when a training starts and ends."""

    def __init__(self, system: System, *, data: str | None, report: Callable[[str], None]) -> None:
        self._system, self._data, self._report = system, data, report
        self._sqs, self._step_functions = (system.aws.client(name) for name in ("sqs", "stepfunctions"))
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="retraining", daemon=True)

    def start(self) -> None:
        """Start polling."""
        self._thread.start()

    def stop(self) -> None:
        """Stop polling, and a running training."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(FINISH_SECONDS)

    def train_next(self) -> bool:
        """Train for the oldest waiting execution and complete it; return whether there was one."""
        queue_url = self._system.aws.training_queue_url
        for message in self._sqs.receive_message(QueueUrl=queue_url).get("Messages", []):
            self._sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
            task = json.loads(message["Body"])
            failure = "the training was interrupted"
            try:
                failure = self._train(task["name"], task["input"])
            finally:
                self._complete(task["token"], failure)
            return True
        return False

    def _complete(self, token: str, failure: str) -> None:
        if failure:
            self._step_functions.send_task_failure(taskToken=token, error="NotPublished", cause=failure)
        else:
            self._step_functions.send_task_success(taskToken=token, output="{}")

    def _train(self, name: str, execution_input: Mapping[str, Any]) -> str:
        """Train and return why no model was published, or "" if one was."""
        folder = self._system.folder / "retraining"
        folder.mkdir(exist_ok=True)
        options = training_options(self._system.card, self._data)
        if uri := execution_input.get("extra_data_uri"):
            options["extra_data"] = [str(self._download(uri, folder / f"{name}.csv"))]
        path = folder / f"{name}.json"
        path.write_text(json.dumps(options | {"artifacts": str(self._system.model_dir.parent)}, indent=2))
        log = self._system.folder / "logs" / f"retraining-{name}.log"
        feedback = f" and the labels of {uri}" if uri else ""
        self._report(f"retraining {name}: on {options['data']}{feedback}, options in {path}, log in {log}")
        started = time.monotonic()
        process = self._system.processes.start(
            [sys.executable, "-m", "local.retraining", path],
            log=log,
            environment=os.environ,
            folder=Path.cwd(),
        )
        code = self._wait(process)
        failure = {0: "", None: "stopped with the system"}.get(code, f"exit code {code}, see {log}")
        outcome = (
            f"no model published, {failure}"
            if failure
            else "published as a candidate; `sentiment promote` compares it"
        )
        self._report(f"retraining {name}: {outcome} ({time.monotonic() - started:.0f} s)")
        return failure

    def _wait(self, process: "subprocess.Popen[bytes]") -> int | None:
        """Return its exit code, or None if it was stopped with the system."""
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
        while not self._stopping.wait(POLL_SECONDS):
            try:
                self.train_next()
            except (BotoCoreError, ClientError, OSError, ValueError) as error:
                logger.warning("retraining failed", extra=error_fields(error))


def training_options(card: Mapping[str, Any], data: str | None = None) -> dict[str, Any]:
    """Return the options of the training in this card; `data` replaces the card's data set."""
    options = {name: value for name, value in card["training"].items() if name not in NOT_OPTIONS}
    return {**card["data"]["options"], **options, "data": data or card["data"]["name"]}


def main(path: Path) -> int:
    """Train with the options in the file; return the exit code of `python -m training train`."""
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
