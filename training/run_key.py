"""The run key: a hash of everything that determines the result of a run."""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path

from training.code_digest import code_digest
from training.config import TrainingConfig
from training.data.prepare import prepare
from training.data.rows import Dataset

# Libraries whose version can change the result of a run.
_LIBRARIES = ("tokenizers", "torch", "transformers", "onnxruntime")
# Modules and packages that, with their imports and `training.pipeline`, determine the result of a run.
_CODE = (
    "training.data.prepare",
    "training.data.wide_rows",
    "training.finetune.tune",
    "training.export.export",
    "training.record",
)


def run_key(config: TrainingConfig, data: Dataset | None = None) -> str:
    """Return the hash of everything that determines the result: recipe, data, libraries and code.

    Reads the data unless it is given (a second for the embedded reviews).
    """
    data = data or prepare(config)
    package = Path(__file__).parent
    code = hashlib.sha256((package / "pipeline.py").read_bytes() + code_digest(package, _CODE).encode())
    identity = {
        "recipe": config.recipe()
        | {"data": data.fingerprint, "model": model_identity(config.model)}
        | ({"teacher": model_identity(config.teacher)} if config.teacher else {}),
        "code": code.hexdigest(),
        "libraries": {name: version(name) for name in _LIBRARIES},
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def model_identity(name: str) -> str:
    """Return the name of a model, or the hash of a local folder, which may be retrained in place."""
    folder = Path(name)
    if not folder.is_dir():
        return name
    content = hashlib.sha256()
    for path in sorted(folder.glob("*.*")):
        if path.is_file():
            with path.open("rb") as file:
                content.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return content.hexdigest()
