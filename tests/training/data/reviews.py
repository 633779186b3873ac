"""Reviews in a CSV file, and the texts of the parts that a data set is split into."""

import csv
from pathlib import Path
from typing import Any

from training.data.rows import Dataset

PLENTY = [(f"review number {n}", "good" if n % 2 else "bad") for n in range(40)]


def write_csv(path: Path, rows: list[tuple[Any, ...]], header: tuple[str, ...] = ("text", "label")) -> str:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return str(path)


def parts(data: Dataset) -> list[list[str]]:
    return [data.train.texts, data.validation.texts, data.test.texts]
