"""Rows on disk instead of in memory: written in batches, read where they lie through a memory map.

A file appears whole or not at all, and one that is damaged is written again. Several processes may write the
same one: the last that is done puts it into place. What the rows hold is their users' matter.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import pyarrow as pa


class Column(Sequence[Any]):
    """One column of a memory-mapped table, as a sequence that holds none of its values."""

    def __init__(self, values: pa.ChunkedArray) -> None:
        self._values = values

    def __len__(self) -> int:
        return len(self._values)

    @overload
    def __getitem__(self, place: int) -> Any: ...
    @overload
    def __getitem__(self, place: slice) -> list[Any]: ...
    def __getitem__(self, place: int | slice) -> Any:
        if isinstance(place, slice):
            return self._values[place].to_pylist()
        if not -len(self) <= place < len(self):
            raise IndexError(place)
        return self._values[place % len(self)].as_py()

    def __iter__(self) -> Iterator[Any]:
        for chunk in self._values.chunks:
            yield from chunk.to_pylist()


def write_table(path: Path, schema: pa.Schema, batches: Iterable[dict[str, Sequence[Any]]]) -> None:
    """Write batches of columns as one Arrow file; raises OSError, leaving nothing, when the disk is full."""
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
    """Return the table in a file without reading it; None if there is none that is whole."""
    try:
        with pa.memory_map(str(path)) as file:
            return pa.ipc.open_file(file).read_all()
    except (OSError, pa.ArrowInvalid):
        return None
