"""What SageMaker lays out for a training container: hyperparameters, machines, channels, output folders.

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

Job = Literal["search", "fine_tune", "export"]

_ARCHIVE = "model.tar.gz"
_FAILURE_CHARACTERS = 1024  # what SageMaker keeps of it
_TRIALS = "20"
_OF_A_SEARCH = ("trials", "workers", "pruner", "pareto", "storage")
# Options that only a person at a terminal can give; the container has folders for what they name.
_OF_THE_CONTAINER = {"artifacts", "cache", "extra_data", "resume"}


@dataclass(frozen=True)
class Request:
    """What a job shall do."""

    job: Job
    config: TrainingConfig
    given: frozenset[str]  # hyperparameters that somebody set, which a search leaves alone
    search: dict[str, Any]  # how it is made: see training.trials.Plan


@dataclass(frozen=True)
class Machines:
    """The machines of one job, each of them a container like this one."""

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
        return self._made("model")

    @property
    def checkpoints(self) -> Path:
        """Return the folder that is kept in S3 while the job runs and is there again when it restarts."""
        return self._made("checkpoints")

    @property
    def kept(self) -> Path:
        """Return the folder that becomes output.tar.gz beside the model's."""
        return self._made("output/data")

    def request(self) -> Request:
        """Read the hyperparameters, which are strings; raises ConfigError naming what is wrong with them."""
        given: dict[str, Any] = {
            name: str(value) for name, value in self._config("hyperparameters").items() if value != ""
        }
        job = given.pop("job", None)
        search: dict[str, Any] = {"trials": _TRIALS}
        search |= {name: given.pop(name) for name in _OF_A_SEARCH if name in given}
        quick = given.pop("quick", "false").lower() == "true"
        if job not in get_args(Job):
            raise ConfigError(f"hyperparameter job: give {' or '.join(get_args(Job))}, not {job!r}")
        for name in {"trials", "workers"} & search.keys():
            if not search[name].isdecimal() or not int(search[name]):
                raise ConfigError(f"hyperparameter {name}: give a number above 0, not {search[name]!r}")
            search[name] = int(search[name])
        if "pareto" in search:
            search["pareto"] = search["pareto"].lower() == "true"
        known = TrainingConfig.model_fields.keys() - _OF_THE_CONTAINER
        for name in given:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"
                raise ConfigError(f"unknown hyperparameter {name!r}; {hint}")
        names = frozenset(given)
        if "labels" in given:
            given["labels"] = tuple(name.strip() for name in given["labels"].split(","))
        given["data"] = self._data(given.get("data"))
        config = configure(
            quick=quick,
            **given,
            extra_data=self._extra_data(),
            artifacts=self.kept,
            cache=self.root / "cache",  # what is kept is uploaded
            resume=True,
        )
        return Request(job=job, config=config, given=names, search=search)

    def machines(self) -> Machines:
        """Read which machines take part."""
        resources = self._config("resourceconfig")
        hosts = tuple(resources.get("hosts", ["localhost"]))
        return Machines(
            hosts, resources.get("current_host", hosts[0]), resources.get("network_interface_name")
        )

    def channel(self, name: str) -> Path | None:
        """Return the folder of an input channel; None if the job has none of that name."""
        folder = self.root / "input" / "data" / name
        return folder if folder.is_dir() and any(folder.iterdir()) else None

    def output_of(self, channel: str, scratch: Path) -> Path | None:
        """Return what an earlier job wrote, from the channel that its model.tar.gz lies in.

        It is unpacked into `scratch`; members that would land elsewhere are refused.
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

    def fail(self, error: BaseException) -> None:
        """Write why the job failed, in one line, unless another process of this machine already did."""
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        file = self._made("output") / "failure"
        try:
            with file.open("x") as failure:
                failure.write(reason[:_FAILURE_CHARACTERS])
        except FileExistsError:
            return

    def failed_with(self) -> int | None:
        """Return the exit code of the failure that was written; None if there is none."""
        file = self.root / "output" / "failure"
        if not file.exists():
            return None
        kind = file.read_text().partition(":")[0]
        codes = {error.__name__: error.exit_code for error in TrainingError.__subclasses__()}
        return codes.get(kind, TrainingError.exit_code)

    def forget_failure(self) -> None:
        """Remove what `fail` wrote, since it was none."""
        (self.root / "output" / "failure").unlink(missing_ok=True)

    def _data(self, named: str | None) -> str | None:
        """Return where the data is: a file in the channel, the whole channel, or what is named."""
        folder = self.channel("training")
        if folder is None:
            return named
        if named is not None:
            if not (folder / named).exists():
                raise DataError(f"the channel training has no {named}; give the name of one of its files")
            return str(folder / named)
        files = _shown(folder)
        return str(files[0] if len(files) == 1 else folder)

    def _extra_data(self) -> tuple[Path, ...]:
        """Return the files of the channel `extra`, in an order that every machine of the job agrees on."""
        folder = self.channel("extra")
        return tuple(sorted(_shown(folder))) if folder is not None else ()

    def _config(self, name: str) -> Mapping[str, Any]:
        file = self.root / "input" / "config" / f"{name}.json"
        try:
            content: Mapping[str, Any] = json.loads(file.read_text())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise ConfigError(f"{file} is not JSON: {error}") from error
        return content

    def _made(self, name: str) -> Path:
        folder = self.root / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def _shown(folder: Path) -> list[Path]:
    """List what is in a channel but for hidden files, which tools leave there."""
    return [path for path in folder.iterdir() if not path.name.startswith(".")]
