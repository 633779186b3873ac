"""What can go wrong in a training run, each with the exit code that `python -m training` ends with.

| code | meaning                                                                                  |
| ---- | ---------------------------------------------------------------------------------------- |
| 0    | the artefact is published                                                                |
| 1    | a bug: anything that is not one of these errors                                          |
| 2    | the data or an option cannot be used as given (the same code argparse ends with)         |
| 3    | the gate: no quantized candidate is good enough; nothing was registered or overwritten   |
| 4    | the model or checkpoint cannot be used                                                   |
| 143  | the run was told to stop, and saved where it was                                         |

The messages are one line: what is wrong, where, and how to mend it. Nothing here prints or exits.
"""

from typing import ClassVar


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
