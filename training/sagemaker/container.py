"""The SageMaker training container: hyperparameters, machines, input channels, output folders.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo.html describes the folders under
/opt/ml. Nothing here trains.
"""

import difflib
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from training.config import TrainingConfig, configure
from training.errors import ConfigError, DataError, TrainingError
from training.options import PLAN, RUN, RUNNING, Option

Job = Literal["search", "fine_tune", "export"]

_ARCHIVE = "model.tar.gz"
_FAILURE_CHARACTERS = 1024  # what SageMaker keeps of it
# Hyperparameters that become fields of the configuration. The container has folders for the other paths.
_CONFIGURABLE = {
    option.name: option
    for option in RUN
    if option.name not in {"quick", "extra_data"} and option.group != RUNNING
}


@dataclass(frozen=True)
class Request:
    """The request of a job."""

    job: Job
    config: TrainingConfig
    given: frozenset[str]  # hyperparameters that are set, which a search does not vary
    search: dict[str, Any]  # the fields of training.search.trials.SearchPlan


@dataclass(frozen=True)
class Machines:
    """The machines of a job, one container each."""

    hosts: tuple[str, ...]
    current: str
    network_interface: str | None


@dataclass(frozen=True)
class Container:
    """The folders under `root`, which is /opt/ml."""

    root: Path

    @property
    def model(self) -> Path:
        """Return the folder that becomes the job's model.tar.gz."""
        return self._created("model")

    @property
    def checkpoints(self) -> Path:
        """Return the folder that is synchronized with S3 and restored when the job restarts."""
        return self._created("checkpoints")

    @property
    def output(self) -> Path:
        """Return the folder that becomes output.tar.gz."""
        return self._created("output/data")

    def request(self) -> Request:
        """Read the hyperparameters, which are strings; raises ConfigError naming the invalid one."""
        given: dict[str, Any] = {
            name: str(value) for name, value in self._config("hyperparameters").items() if value != ""
        }
        job = given.pop("job", None)
        plan = {option.name: given.pop(option.name) for option in PLAN if option.name in given}
        quick = given.pop("quick", "false").lower() == "true"
        if job not in get_args(Job):
            raise ConfigError(f"hyperparameter job: give {' or '.join(get_args(Job))}, not {job!r}")
        search = {option.name: option.default for option in PLAN if option.name == "trials"}
        search |= {option.name: _read(option, plan[option.name]) for option in PLAN if option.name in plan}
        for name in given:
            if name not in _CONFIGURABLE:
                near = difflib.get_close_matches(name, _CONFIGURABLE, 1)
                hint = f"did you mean {near[0]}?" if near else f"use {', '.join(sorted(_CONFIGURABLE))}"
                raise ConfigError(f"unknown hyperparameter {name!r}; {hint}")
        names = frozenset(given)
        if "labels" in given:
            given["labels"] = _CONFIGURABLE["labels"].type(given["labels"])
        given["data"] = self._data(given.get("data"))
        config = configure(
            quick=quick,
            **given,
            extra_data=self._extra_data(),
            artifacts=self.output,
            cache=self.root / "cache",  # the output folder is uploaded
            resume=True,
        )
        return Request(job=job, config=config, given=names, search=search)

    def machines(self) -> Machines:
        """Read the machines of the job."""
        resources = self._config("resourceconfig")
        hosts = tuple(resources.get("hosts", ["localhost"]))
        return Machines(
            hosts, resources.get("current_host", hosts[0]), resources.get("network_interface_name")
        )

    def channel(self, name: str) -> Path | None:
        """Return the folder of an input channel; None if the job has no such channel."""
        folder = self.root / "input" / "data" / name
        return folder if folder.is_dir() and any(folder.iterdir()) else None

    def output_of(self, channel: str, scratch: Path) -> Path | None:
        """Return the output of an earlier job, from the channel with its model.tar.gz.

        It is unpacked into `scratch`; members with paths outside are rejected.
        """
        folder = self.channel(channel)
        if folder is None or not (folder / _ARCHIVE).is_file():
            return folder
        try:
            with tarfile.open(folder / _ARCHIVE) as archive:
                archive.extractall(scratch / channel, filter="data")
        except (tarfile.TarError, EOFError, OSError) as error:
            raise DataError(f"cannot unpack {_ARCHIVE} of channel {channel}: {error}") from error
        return scratch / channel

    def write_failure(self, error: BaseException) -> None:
        """Write the reason of the failure in one line, unless another process of this machine already did."""
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        file = self._created("output") / "failure"
        try:
            with file.open("x") as failure:
                failure.write(reason[:_FAILURE_CHARACTERS])
        except FileExistsError:
            return

    def failure_exit_code(self) -> int | None:
        """Return the exit code of the failure written; None if there is none."""
        file = self.root / "output" / "failure"
        if not file.exists():
            return None
        kind = file.read_text().partition(":")[0]
        codes = {error.__name__: error.exit_code for error in TrainingError.__subclasses__()}
        return codes.get(kind, TrainingError.exit_code)

    def remove_failure(self) -> None:
        """Remove the failure file."""
        (self.root / "output" / "failure").unlink(missing_ok=True)

    def _data(self, named: str | None) -> str | None:
        """Return the data: a file in the channel, the whole channel, or `named` without a channel."""
        folder = self.channel("training")
        if folder is None:
            return named
        if named is not None:
            if not (folder / named).exists():
                raise DataError(f"the channel training has no {named}; give the name of one of its files")
            return str(folder / named)
        files = _visible(folder)
        return str(files[0] if len(files) == 1 else folder)

    def _extra_data(self) -> tuple[Path, ...]:
        """Return the files of the channel `extra`, in the same order on every machine."""
        folder = self.channel("extra")
        return tuple(sorted(_visible(folder))) if folder is not None else ()

    def _config(self, name: str) -> Mapping[str, Any]:
        file = self.root / "input" / "config" / f"{name}.json"
        try:
            content: Mapping[str, Any] = json.loads(file.read_text())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise ConfigError(f"{file} is not JSON: {error}") from error
        return content

    def _created(self, name: str) -> Path:
        folder = self.root / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def _read(option: Option, text: str) -> Any:
    """Read an option of a search from its text; the values of a run are read by the configuration."""
    if option.type is bool:
        return text.lower() == "true"
    if option.type is not int:
        return option.type(text)
    if not text.isdecimal() or not int(text):
        raise ConfigError(f"hyperparameter {option.name}: give a number above 0, not {text!r}")
    return int(text)


def _visible(folder: Path) -> list[Path]:
    """List the files of a channel without hidden ones, which tools create."""
    return [path for path in folder.iterdir() if not path.name.startswith(".")]
