"""Run a published artifact as serving does, to evaluate and compare models.

It shares no code with serving; `tests/test_same_answers.py` proves that both give the same results.
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
from training.text import encode_whole, truncate

_BATCH = 50


class ServedModel:
    """A published artifact that predicts as it does when served."""

    def __init__(self, artifact: Artifact, progress: Progress = silent) -> None:
        self.card = artifact.card
        self._progress = progress
        self._tokenizer = Tokenizer.from_file(str(artifact.folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._scorer = Scorer(artifact.folder / "model.onnx")
        self._predictions: dict[str, str] = {}
        self.reference = _read_reference(artifact.folder / "reference.parquet")

    @property
    def version(self) -> str:
        """Return the artifact's version."""
        return str(self.card["model_version"])

    def predict(self, texts: Sequence[str]) -> list[str]:
        """Return the predicted label of each text; results are cached."""
        new = [text for text in dict.fromkeys(texts) if text not in self._predictions]
        whole = encode_whole(self._tokenizer, new)
        encoded = [truncate(ids, self.card["max_length"], self.card["truncation"]) for ids in whole]
        for start in range(0, len(new), _BATCH):
            self._progress(f"Scoring with {self.version}", start, len(new))
            logits = self._scorer.scores(
                encoded[start : start + _BATCH], whole[start : start + _BATCH]
            ).logits
            names = [self.card["labels"][best] for best in logits.argmax(axis=1)]
            self._predictions.update(zip(new[start : start + _BATCH], names, strict=True))
        return [self._predictions[text] for text in texts]


def read_artifact(folder: Path) -> Artifact:
    """Read a published artifact and verify its files; raises ModelError naming a missing or damaged file."""
    try:
        card = json.loads((folder / "model.json").read_text())
        for name, expected in card["files"].items():
            with (folder / name).open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != expected["sha256"]:
                    raise ModelError(
                        f"{folder / name} does not match the hash in its model card; train again"
                    )
    except FileNotFoundError as error:
        raise ModelError(f"{error.filename} is missing; give a version in {folder.parent}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{folder / 'model.json'} is not a valid model card ({error}); train again"
        ) from error
    return Artifact(folder, card)


def _read_reference(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise ModelError(f"{path} cannot be read ({error}); train again") from error
