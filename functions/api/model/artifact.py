"""The artifact as serving reads it: the model card, and files proven to be the ones the card was written for.

Anything missing, truncated, altered or foreign raises ModelError, so a bad deployment dies at init with one
exact line instead of answering wrongly. Running the model is `classifier.py`'s; writing artifacts is
training's.
"""

import hashlib
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator
from sentiment.exceptions import ModelError

from functions.api.model.tokenization import CleaningStep, Truncation

MEND = "train and export it again, or set MODEL_DIR to a whole artifact"
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$")]


class FileRecord(BaseModel):
    """How large a file was and what it hashed to when it was exported."""

    bytes: int = Field(gt=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class NoveltyRecord(BaseModel):
    """Where the validation rows lie in the space of the graph's output `pooled`, as `novelty.py` reads it."""

    model_config = ConfigDict(extra="allow", frozen=True)

    output: Literal["pooled"]
    centroids: dict[str, list[FiniteFloat]]  # by label
    spread: list[Annotated[FiniteFloat, Field(gt=0)]] = Field(min_length=1)
    common: list[list[FiniteFloat]]  # directions, in units of spread

    @model_validator(mode="after")
    def check_widths(self) -> Self:
        """Refuse vectors of different widths."""
        widths = {len(vector) for vector in (self.spread, *self.centroids.values(), *self.common)}
        if len(widths) > 1:
            raise ValueError(f"vectors have different widths: {sorted(widths)}")
        return self


class CalibrationRecord(BaseModel):
    """What logits are divided by before the softmax, so that confidence says how often it is right."""

    model_config = ConfigDict(extra="allow", frozen=True)

    temperature: Annotated[FiniteFloat, Field(gt=0)] = 1.0


class Card(BaseModel):
    """The part of `model.json` that serving depends on; the rest is kept as it is for `GET /model`."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())

    schema_version: Literal[1]
    model_version: str = Field(min_length=1)
    labels: list[str] = Field(min_length=2)
    max_length: int = Field(ge=8)
    truncation: Truncation
    text_cleaning: list[CleaningStep]
    files: dict[FileName, FileRecord]
    novelty: NoveltyRecord | None = None  # artifacts of older exports have none
    calibration: CalibrationRecord = CalibrationRecord()  # nor was an older one calibrated

    @model_validator(mode="after")
    def check_consistency(self) -> Self:
        """Refuse repeated labels, files that nobody vouches for, and centroids of other labels."""
        if len(set(self.labels)) < len(self.labels):
            raise ValueError(f"labels repeat: {', '.join(self.labels)}")
        if absent := {"model.onnx", "tokenizer.json"} - self.files.keys():
            raise ValueError(f"files lacks {', '.join(sorted(absent))}")
        if self.novelty is not None and self.novelty.centroids.keys() != set(self.labels):
            raise ValueError(
                f"novelty has centroids of {', '.join(self.novelty.centroids)}, not of the labels"
            )
        return self


class Artifact(NamedTuple):
    """A verified artifact; its files are the very bytes that were hashed."""

    card: Card
    model: bytes
    tokenizer: bytes
    golden: bytes | None = None  # `golden.py` reads it when asked; artifacts of older exports have none


def read_card(path: Path) -> Card:
    """Read `model.json`; raises ModelError naming each field at fault."""
    if not path.is_file():
        raise ModelError(f"{path} is missing: {MEND}")
    try:
        return Card.model_validate_json(path.read_bytes())
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc'])) or 'card'}: {problem['msg']}"
            for problem in error.errors(include_input=False, include_url=False)
        )
        raise ModelError(f"{path} is not a model card this API can serve: {problems}: {MEND}") from None


def read_verified(path: Path, expected: FileRecord) -> bytes:
    """Return the file's bytes; raises ModelError when they are not the ones the card vouches for."""
    if not path.is_file():
        raise ModelError(f"{path} is missing: {MEND}")
    content = path.read_bytes()
    if len(content) != expected.bytes:
        raise ModelError(f"{path} has {len(content)} bytes but its card says {expected.bytes}: {MEND}")
    digest = hashlib.sha256(content).hexdigest()
    if digest != expected.sha256:
        raise ModelError(f"{path} has sha256 {digest} but its card says {expected.sha256}: {MEND}")
    return content


def load_artifact(folder: Path) -> Artifact:
    """Read and verify every file the card lists; raises ModelError saying what is wrong and where.

    A symlink is resolved once, so all files come from one version even when the link is swapped meanwhile.
    """
    folder = folder.resolve()
    card = read_card(folder / "model.json")
    contents = {name: read_verified(folder / name, record) for name, record in card.files.items()}
    return Artifact(card, contents["model.onnx"], contents["tokenizer.json"], contents.get("golden.json"))
