"""Write the artifact, the contract with serving: a folder `models/<version>`.

The folder appears atomically: it is filled under a temporary name and renamed. `training.export.export`
decides what goes into it, and `training.registry.registry` which of the folders the link `model` points to.
Publishing alone changes nothing that serves.
"""

import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from tokenizers import Tokenizer

from training.data.rows import Rows
from training.text import clean, unknown_id

# No export takes this long; a younger folder may belong to a running export.
_ABANDONED_SECONDS = 3600
_NUMBERS = re.compile(r"\[\n[\d\s.,e+-]+\]")  # in indented JSON, where no string contains a bare line break


@dataclass(frozen=True)
class Artifact:
    """A published artifact: its versioned folder and its card."""

    folder: Path
    card: dict[str, Any]


@contextmanager
def publishing(artifacts: Path, graph: Path, card: dict[str, Any]) -> Iterator[Path]:
    """Yield a folder to fill; on success add graph and card, and rename it to its version."""
    models = artifacts / "models"
    models.mkdir(parents=True, exist_ok=True)
    for abandoned in models.glob(".building-*"):  # by an export that was killed
        if time.time() - abandoned.stat().st_mtime > _ABANDONED_SECONDS:
            shutil.rmtree(abandoned, ignore_errors=True)
    building = Path(tempfile.mkdtemp(prefix=".building-", dir=models))
    building.chmod(0o755)
    try:
        yield building
        shutil.copyfile(graph, building / "model.onnx")
        card["files"] = {path.name: _fingerprint(path) for path in sorted(building.iterdir())}
        identity = hashlib.sha256(json.dumps(card, sort_keys=True).encode()).hexdigest()[:8]
        card["model_version"] = f"{card['created_at'][:10].replace('-', '')}-{identity}"
        (building / "model.json").write_text(_readable(card) + "\n")
        building.rename(models / card["model_version"])
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise


def champion_of(artifacts: Path) -> str | None:
    """Return the version that `artifacts/model` points to; None if there is no complete one."""
    link = artifacts / "model"
    return link.resolve().name if (link / "model.json").is_file() else None


def link_champion(artifacts: Path, model_version: str) -> None:
    """Point the link `artifacts/model` to the artifact of this version, atomically."""
    link = artifacts / f".model-{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(Path("models") / model_version, target_is_directory=True)
    link.replace(artifacts / "model")


def _readable(card: dict[str, Any]) -> str:
    """Return the card as JSON with one line per field, also for long vectors."""
    return _NUMBERS.sub(lambda vector: "".join(vector[0].split()), json.dumps(card, indent=2))


def _fingerprint(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def write_reference(
    path: Path,
    rows: Rows,
    tokenizer: Tokenizer,
    max_length: int,
    labels: list[str],
    probabilities: NDArray[np.float64],
    novelty: NDArray[np.float64] | None,
    fp32: NDArray[np.float64],
) -> None:
    """Write held-out rows with the fields that serving logs, as the reference of drift detection.

    They include the decisions of the `fp32` graph, so that any machine can repeat the gate.

    `tokens` and `unknown_tokens` count before truncation, special tokens included; the latter is null when
    the vocabulary covers every text, `novelty` when the artifact does not measure it. `probabilities` are in
    the card's label order.
    """
    ids = [encoding.ids for encoding in tokenizer.encode_batch([clean(text) for text in rows.texts])]
    tokens = [len(text) for text in ids]
    unknown = unknown_id(tokenizer)
    nothing = [None] * len(rows)
    table = pa.table(
        {
            "text": rows.texts,
            "label": [labels[label] for label in rows.labels],
            "characters": pa.array([len(text) for text in rows.texts], pa.int32()),
            "tokens": pa.array(tokens, pa.int32()),
            "truncated": [count > max_length for count in tokens],
            "sentiment": [labels[index] for index in probabilities.argmax(axis=1)],
            "confidence": probabilities.max(axis=1),
            "probabilities": list(probabilities),
            "unknown_tokens": pa.array(
                nothing if unknown is None else [text.count(unknown) for text in ids], pa.int32()
            ),
            "fp32_sentiment": [labels[index] for index in fp32.argmax(axis=1)],
            "novelty": pa.array(nothing if novelty is None else novelty.tolist(), pa.float64()),
        }
    )
    pq.write_table(table, path, compression="zstd")
