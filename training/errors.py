"""What can go wrong in a training run, each with the exit code that `python -m training` ends with.

| code | meaning                                                                                  |
| ---- | ---------------------------------------------------------------------------------------- |
| 0    | the artifact is published                                                                |
| 1    | a bug: anything that is not one of these errors                                          |
| 2    | the data or an option cannot be used as given (the same code argparse ends with)         |
| 3    | the gate: no quantized candidate is good enough; nothing was registered or overwritten   |
| 4    | the model or checkpoint cannot be used                                                   |
| 5    | the disk is full; what was whole is still there                                          |
| 143  | the run was told to stop, and saved where it was                                         |

The messages are one line: what is wrong, where, and how to mend it. Nothing here prints or exits.
"""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

# How libraries tell of a full disk that do not pass on the system's error: safetensors, SQLite, torch.
_FULL = ("No space left on device", "disk is full")
_TORCH = ("inline_container", "iostream error")  # of its file writer, whatever went wrong
_NO_ROOM = 2**20


class TrainingError(Exception):
    """A run ended for a reason that its user can mend."""

    exit_code: ClassVar[int] = 1


class DataError(TrainingError):
    """The data set, its columns, labels or rows cannot be used."""

    exit_code = 2


class ConfigError(TrainingError):
    """An option has a value that no run can have."""

    exit_code = 2


class GateError(TrainingError):
    """No quantized candidate keeps the accuracy of the fine-tuned model."""

    exit_code = 3


class ModelError(TrainingError):
    """The model or a checkpoint is missing, damaged or of a kind that cannot be fine-tuned here."""

    exit_code = 4


class RegistryError(TrainingError):
    """MLflow's registry cannot be reached; nothing was changed."""


class Interrupted(TrainingError):
    """The run was told to stop and wrote a checkpoint, from which the next one goes on."""

    exit_code = 143  # as a process that SIGTERM ends


class DiskFullError(TrainingError):
    """There was no room to write what the run had to write."""

    exit_code = 5


@contextmanager
def disk_full_guard(folder: Path) -> Iterator[None]:
    """Raise DiskFullError when what happens inside fails because a disk, as that of `folder`, is full."""
    try:
        yield
    except Exception as error:
        if not _is_full(error, folder):
            raise
        raise DiskFullError(
            f"the disk is full while writing for {folder}; make room, then train --resume goes on from the "
            "last whole checkpoint, and a search by itself"
        ) from error


def _is_full(error: BaseException, folder: Path) -> bool:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    if any(phrase in str(error) for phrase in _FULL):
        return True
    if any(phrase in str(error) for phrase in _TORCH):
        place = next(parent for parent in (folder, *folder.parents) if parent.exists())
        return shutil.disk_usage(place).free < _NO_ROOM
    cause = error.__cause__ or error.__context__
    return cause is not None and _is_full(cause, folder)
