"""The artifact as serving reads it: the model card, and files whose hashes match it.

A missing, truncated, altered or foreign file raises ModelError, so a bad deployment fails during init with
one clear message instead of serving wrong predictions. `classifier.py` runs the model; training writes
artifacts.
"""

from pathlib import Path
from typing import Annotated, ClassVar, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator
from sentiment.exceptions import ModelError
from sentiment.model_card import ModelCard, read_card, read_file

from functions.api.model.tokenization import CleaningStep, Truncation

FIX = "train and export it again, or set MODEL_DIR to a complete artifact"


class NoveltyRecord(BaseModel):
    """Statistics of the validation rows' `pooled` vectors, which `novelty.py` measures distances with."""

    model_config = ConfigDict(extra="allow", frozen=True)

    output: Literal["pooled"]
    centroids: dict[str, list[FiniteFloat]]  # by label
    spread: list[Annotated[FiniteFloat, Field(gt=0)]] = Field(min_length=1)
    common: list[list[FiniteFloat]]  # directions, in units of spread

    @model_validator(mode="after")
    def check_widths(self) -> Self:
        """Reject vectors of different widths."""
        widths = {len(vector) for vector in (self.spread, *self.centroids.values(), *self.common)}
        if len(widths) > 1:
            raise ValueError(f"vectors have different widths: {sorted(widths)}")
        return self


class CalibrationRecord(BaseModel):
    """The temperature that logits are divided by before the softmax, which calibrates confidence."""

    model_config = ConfigDict(extra="allow", frozen=True)

    temperature: Annotated[FiniteFloat, Field(gt=0)] = 1.0


class Card(ModelCard):
    """The part of the model card that serving needs; `GET /model` returns the rest unchanged."""

    required_files: ClassVar[frozenset[str]] = frozenset({"model.onnx", "tokenizer.json"})

    max_length: int = Field(ge=8)
    truncation: Truncation
    text_cleaning: list[CleaningStep]
    novelty: NoveltyRecord | None = None  # absent in artifacts of older exports
    calibration: CalibrationRecord = CalibrationRecord()  # absent in older ones too

    @model_validator(mode="after")
    def check_centroids(self) -> Self:
        """Reject centroids of other labels."""
        if self.novelty is not None and self.novelty.centroids.keys() != set(self.labels):
            raise ValueError(
                f"novelty has centroids of {', '.join(self.novelty.centroids)}, not of the labels"
            )
        return self


class Artifact(NamedTuple):
    """A verified artifact; the contents are the bytes that were hashed."""

    card: Card
    model: bytes
    tokenizer: bytes
    golden: bytes | None = None  # parsed by `golden.py`; absent in artifacts of older exports


def load_artifact(folder: Path) -> Artifact:
    """Read and verify every file the card lists; raises ModelError saying what is wrong and where.

    A symlink is resolved once, so all files belong to one version even if the link changes meanwhile.
    """
    folder = folder.resolve()
    try:
        card = read_card(folder, Card)
        contents = {name: read_file(folder, name, card) for name in card.files}
    except ModelError as error:
        raise ModelError(f"{folder}: {error}: {FIX}") from None
    return Artifact(card, contents["model.onnx"], contents["tokenizer.json"], contents.get("golden.json"))
