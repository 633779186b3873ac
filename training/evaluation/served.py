"""A published artifact that answers here as it would when served: for comparing and evaluating models.

It shares no code with serving; `tests/test_same_answers.py` proves that both say the same.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from tokenizers import Tokenizer

from training.errors import ModelError
from training.export.artifact import Artifact
from training.export.scorer import Scorer
from training.progress import Progress, silent
from training.text import encode_batch

_BATCH = 50


class ServedModel:
    """A published artifact that answers here as it would when served."""

    def __init__(self, artifact: Artifact, progress: Progress = silent) -> None:
        self.card = artifact.card
        self._progress = progress
        self._tokenizer = Tokenizer.from_file(str(artifact.folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._scorer = Scorer(artifact.folder / "model.onnx")
        self._answers: dict[str, str] = {}
        self.reference = _read_reference(artifact.folder / "reference.parquet")

    @property
    def version(self) -> str:
        """Return the artifact's version."""
        return str(self.card["model_version"])

    def decide(self, texts: Sequence[str]) -> list[str]:
        """Return the label of each text; what was asked before is remembered."""
        new = [text for text in dict.fromkeys(texts) if text not in self._answers]
        encoded = encode_batch(self._tokenizer, new, self.card["max_length"], self.card["truncation"])
        for start in range(0, len(new), _BATCH):
            self._progress(f"Scoring with {self.version}", start, len(new))
            logits = self._scorer.scores(encoded[start : start + _BATCH]).logits
            names = [self.card["labels"][best] for best in logits.argmax(axis=1)]
            self._answers.update(zip(new[start : start + _BATCH], names, strict=True))
        return [self._answers[text] for text in texts]


def read_artifact(folder: Path) -> Artifact:
    """Read a published artifact and verify its files; raises ModelError saying which is not whole."""
    try:
        card = json.loads((folder / "model.json").read_text())
        for name, expected in card["files"].items():
            with (folder / name).open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != expected["sha256"]:
                    raise ModelError(f"{folder / name} is not the file its card vouches for; train again")
    except FileNotFoundError as error:
        raise ModelError(f"{error.filename} is missing; name a version in {folder.parent}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{folder / 'model.json'} is no model card ({error}); train again") from error
    return Artifact(folder, card)


def _read_reference(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise ModelError(f"{path} cannot be read ({error}); train again") from error
