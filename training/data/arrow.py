"""Tables on disk instead of in memory: written in batches, read through a memory map.

Writes are atomic, and a damaged file counts as missing. Several processes may write the same file: the last
one to finish wins. Schemas are up to the callers.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import pyarrow as pa


class Column(Sequence[Any]):
    """One column of a memory-mapped table, as a sequence that keeps no value in memory."""

    def __init__(self, values: pa.ChunkedArray) -> None:
        self._values = values

    def __len__(self) -> int:
        return len(self._values)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self._values[index].to_pylist()
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return self._values[index % len(self)].as_py()

    def __iter__(self) -> Iterator[Any]:
        for chunk in self._values.chunks:
            yield from chunk.to_pylist()


def write_table(path: Path, schema: pa.Schema, batches: Iterable[dict[str, Sequence[Any]]]) -> None:
    """Write batches of columns as one Arrow file; raises OSError, leaving no file, when the disk is full."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with pa.OSFile(str(unfinished), "wb") as file, pa.ipc.new_file(file, schema) as writer:
            for batch in batches:
                writer.write_batch(pa.record_batch(batch, schema=schema))
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def open_table(path: Path) -> pa.Table | None:
    """Return the table in a file without reading its rows; None if it is missing or damaged."""
    try:
        with pa.memory_map(str(path)) as file:
            return pa.ipc.open_file(file).read_all()
    except (OSError, pa.ArrowInvalid):
        return None
