"""The model card (`model.json`) and the files it lists, parsed and verified in one place for all readers.

Readers subclass ModelCard with the further fields they need. Error messages name the file; callers add where
the artifact is and how to fix it. Training writes cards and shares no code with the readers.
"""

import hashlib
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sentiment.exceptions import ModelError
from sentiment.validation import describe_problems

CARD_FILE = "model.json"
FILE_NAME = r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$"


class FileRecord(BaseModel):
    """Size and hash of a file at the time of the export."""

    bytes: int = Field(gt=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class ModelCard(BaseModel):
    """The fields that every reader needs; unknown ones are kept."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())
    required_files: ClassVar[frozenset[str]] = frozenset()

    schema_version: Literal[1]
    model_version: str = Field(min_length=1)
    labels: list[str] = Field(min_length=2)
    files: dict[Annotated[str, Field(pattern=FILE_NAME)], FileRecord]

    @model_validator(mode="after")
    def check_labels_and_files(self) -> Self:
        """Reject repeated labels, and a card that lacks a file its reader needs."""
        if len(set(self.labels)) < len(self.labels):
            raise ValueError(f"labels repeat: {', '.join(self.labels)}")
        if absent := self.required_files - self.files.keys():
            raise ValueError(f"files lacks {', '.join(sorted(absent))}")
        return self


CardT = TypeVar("CardT", bound=ModelCard)


def read_card(folder: Path, card_class: type[CardT]) -> CardT:
    """Read the card of an artifact; raises ModelError naming every invalid field."""
    try:
        content = (folder / CARD_FILE).read_bytes()
    except OSError:
        raise ModelError(f"{CARD_FILE} is missing") from None
    try:
        return card_class.model_validate_json(content)
    except ValidationError as error:
        problems = describe_problems(error, whole="card")
        raise ModelError(f"{CARD_FILE} is not a valid model card: {problems}") from None


def read_file(folder: Path, name: str, card: ModelCard) -> bytes:
    """Return the content of a file that the card lists; raises ModelError unless it matches the card."""
    path = folder / name
    if not path.is_file():
        raise ModelError(f"{name} is missing")
    content = path.read_bytes()
    _compare(name, len(content), hashlib.sha256(content).hexdigest(), card.files[name])
    return content


def verify_files(folder: Path, card: ModelCard) -> None:
    """Compare every file that the card lists, in chunks; raises ModelError at the first mismatch."""
    for name, record in card.files.items():
        path = folder / name
        if not path.is_file():
            raise ModelError(f"{name} is missing")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        _compare(name, path.stat().st_size, digest, record)


def _compare(name: str, size: int, digest: str, record: FileRecord) -> None:
    if size != record.bytes:
        raise ModelError(f"{name} has {size} bytes but its card says {record.bytes}")
    if digest != record.sha256:
        raise ModelError(f"{name} has sha256 {digest} but its card says {record.sha256}")
