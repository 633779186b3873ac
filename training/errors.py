"""The errors that end a training run, each with its exit code.

| code | meaning                                                                                  |
| ---- | ---------------------------------------------------------------------------------------- |
| 0    | the artifact is published                                                                |
| 1    | a bug: any other error                                          |
| 2    | the data or an option is invalid (the exit code of argparse too)         |
| 3    | the gate: no quantized candidate is good enough; nothing was registered or overwritten   |
| 4    | the model or checkpoint cannot be used                                                   |
| 5    | the disk is full; complete files were kept                                          |
| 143  | the run was stopped by SIGTERM, after saving a checkpoint                                         |

Messages are one line: what is wrong, where, and how to fix it. Nothing here prints or exits.
"""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

# Libraries that hide the system's error report a full disk so: safetensors, SQLite, torch.
_DISK_FULL_MESSAGES = ("No space left on device", "disk is full")
_TORCH_WRITER_MESSAGES = ("inline_container", "iostream error")  # of its file writer, for any error
_MIN_FREE_BYTES = 2**20


class TrainingError(Exception):
    """A run failed for a reason that the user can fix."""

    exit_code: ClassVar[int] = 1


class DataError(TrainingError):
    """The data set, its columns, labels or rows are invalid."""

    exit_code = 2


class ConfigError(TrainingError):
    """An option has an invalid value."""

    exit_code = 2


class GateError(TrainingError):
    """No quantized candidate keeps the accuracy of the fine-tuned model."""

    exit_code = 3


class ModelError(TrainingError):
    """The model or a checkpoint is missing, damaged or of an unsupported type."""

    exit_code = 4


class RegistryError(TrainingError):
    """MLflow's registry is unreachable; nothing was changed."""


class Interrupted(TrainingError):
    """The run was asked to stop and saved a checkpoint, from which the next run continues."""

    exit_code = 143  # as for a process that SIGTERM ended


class DiskFullError(TrainingError):
    """The disk has no room for what the run has to write."""

    exit_code = 5


@contextmanager
def disk_full_guard(folder: Path) -> Iterator[None]:
    """Raise DiskFullError when the body fails because a disk, such as that of `folder`, is full."""
    try:
        yield
    except Exception as error:
        if not _is_full(error, folder):
            raise
        raise DiskFullError(
            f"the disk is full while writing to {folder}; free some space, then `train --resume` continues "
            "from the last complete checkpoint, and a search by itself"
        ) from error


def _is_full(error: BaseException, folder: Path) -> bool:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    if any(phrase in str(error) for phrase in _DISK_FULL_MESSAGES):
        return True
    if any(phrase in str(error) for phrase in _TORCH_WRITER_MESSAGES):
        place = next(parent for parent in (folder, *folder.parents) if parent.exists())
        return shutil.disk_usage(place).free < _MIN_FREE_BYTES
    cause = error.__cause__ or error.__context__
    return cause is not None and _is_full(cause, folder)
