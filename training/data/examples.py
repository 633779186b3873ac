"""Tokenized rows for the Trainer, cached on disk for the next run on the same rows.

The cache key covers everything that determines the ids: rows, tokenizer, length and truncation.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from training.data.arrow import Column, open_table, write_table
from training.data.rows import Rows
from training.text import Truncation, encode_batch

_BATCH = 1_000
_SCHEMA = pa.schema({"input_ids": pa.list_(pa.int32()), "labels": pa.int64()})


class Examples(torch.utils.data.Dataset[dict[str, Any]]):
    """Token ids and label of each row, with its weight and its teacher's outputs if it has them."""

    def __init__(self, table: pa.Table, weights: list[float] | None) -> None:
        self.ids, self._labels = Column(table["input_ids"]), Column(table["labels"])
        self._weights = weights
        self.teacher_outputs: dict[str, NDArray[Any]] = {}  # of each row
        self.lengths: list[int] = pc.list_value_length(table["input_ids"]).to_pylist()

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, row: int) -> dict[str, Any]:
        example = {"input_ids": self.ids[row], "labels": self._labels[row]}
        if self._weights is not None:
            example["weights"] = self._weights[row]
        return example | {name: values[row] for name, values in self.teacher_outputs.items()}


def tokenized_examples(
    rows: Rows, tokenizer: Tokenizer, max_length: int, truncation: Truncation, cache: Path
) -> Examples:
    """Return the rows' examples from `cache`, after writing them there if needed."""
    path = cache / f"tokens-{_key(rows, tokenizer, max_length, truncation)}.arrow"
    table = open_table(path)
    if table is None or table.num_rows != len(rows):
        write_table(path, _SCHEMA, _encoded(rows, tokenizer, max_length, truncation))
        table = open_table(path)
    assert table is not None, f"{path} was written but cannot be read"  # noqa: S101
    return Examples(table, rows.weights)


def _encoded(
    rows: Rows, tokenizer: Tokenizer, max_length: int, truncation: Truncation
) -> Iterator[dict[str, Any]]:
    for start in range(0, len(rows), _BATCH):
        texts, labels = rows.texts[start : start + _BATCH], rows.labels[start : start + _BATCH]
        yield {"input_ids": encode_batch(tokenizer, texts, max_length, truncation), "labels": labels}


def _key(rows: Rows, tokenizer: Tokenizer, max_length: int, truncation: Truncation) -> str:
    digest = hashlib.sha256(f"{tokenizer.to_str()}\x1f{max_length}\x1f{truncation}".encode())
    for text, label in zip(rows.texts, rows.labels, strict=True):
        digest.update(f"\x1e{label}\x1f{text}".encode())
    return digest.hexdigest()[:20]
