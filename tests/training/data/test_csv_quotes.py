"""A quote that swallows rows is reported with the row that opens it; valid files are still read."""

import csv
import gzip
from pathlib import Path
from typing import Any

import pytest

from training.config import configure
from training.data.csv_quotes import check_quotes
from training.data.prepare import prepare
from training.data.sources import batches, read, read_extra_table
from training.data.table import Columns
from training.errors import DataError

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

ROWS = [f"review number {n},{n % 2}" for n in range(1, 331)]
OPENED = '"' + ROWS[19]
# What closes the quote of row 20, which determines the symptom.
CLOSED_BY = {
    "a quoted text": (120, '"he said ""well"" and left",0'),
    "nothing": (120, ROWS[119]),
    "a text that begins with the delimiter": (120, '", he said",0'),
    "a text that begins with a line break": (120, '"\nhe said",0'),
    "an empty text": (120, '"",0'),
    "a stray quote at the end of a text": (120, 'he said "well",0'),
    "a stray quote at the end of a text, alone": (120, 'he left",0'),
    "the next row": (21, 'he left",0'),
    "a quoted label": (120, 'he left,"0"'),
}


def table(rows: list[str]) -> str:
    return "\n".join(["text,label", *rows]) + "\n"


def swallowing(closed_by: str, opened: str = OPENED) -> str:
    row, text = CLOSED_BY[closed_by]
    rows = list(ROWS)
    rows[19], rows[row - 1] = opened, text
    return table(rows)


@pytest.mark.parametrize("opened", [OPENED, '"thin, but well acted,0'])
@pytest.mark.parametrize("closed_by", CLOSED_BY)
def test_the_row_that_opens_the_quote_is_named(closed_by: str, opened: str, tmp_path: Path) -> None:
    path = tmp_path / "swallow.csv"
    path.write_text(swallowing(closed_by, opened))
    with pytest.raises(DataError, match=r"^swallow\.csv row 20 \(line 21\) .*nothing was read$"):
        check_quotes(path, ("label",))


def test_a_label_column_in_front_is_handled(tmp_path: Path) -> None:
    path = tmp_path / "swallow.csv"
    rows = [f"{n % 2},review number {n}" for n in range(330)]
    rows[19], rows[119] = '1,"thin, but well acted', '0,he left"'
    path.write_text("\n".join(["label,text", *rows]))
    with pytest.raises(DataError, match=r"row 20 \(line 21\) continues to line 121"):
        check_quotes(path, ("label",))


def test_empty_lines_count_as_lines_and_not_as_rows(tmp_path: Path) -> None:
    path = tmp_path / "swallow.csv"
    path.write_text(swallowing("nothing").replace("text,label\n", "text,label\n\n\n"))
    with pytest.raises(DataError, match=r"row 20 \(line 23\)"):
        check_quotes(path, ("label",))


@pytest.mark.parametrize("closed_by", ["a quoted text", "a stray quote at the end of a text, alone"])
@pytest.mark.parametrize("way", ["file", "streamed", "extra", "batches", "folder", "folder.gz"])
def test_every_way_to_read_a_csv_rejects_it(way: str, closed_by: str, tmp_path: Path) -> None:
    content = swallowing(closed_by)
    folder = tmp_path / "data"
    folder.mkdir()
    path = folder / "train.csv"
    path.write_text(content)
    options: dict[str, Any] = {"artifacts": tmp_path / "artifacts"}
    with pytest.raises(DataError, match=r"train\.csv(\.gz)? row 20 \(line 21\)"):
        if way == "file":
            read(configure(data=str(path), **options))
        elif way == "streamed":
            prepare(configure(data=str(path), streaming=True, labels=("0", "1"), **options))
        elif way == "extra":
            read_extra_table(path, Columns(label="verdict"))
        elif way == "batches":
            next(batches(path, Columns(), 5))
        else:
            if way == "folder.gz":
                (folder / "train.csv.gz").write_bytes(gzip.compress(content.encode()))
                path.unlink()
            read(configure(data=str(folder), **options))
    assert not (tmp_path / "artifacts").exists()


GOOD = [
    ("two\nlines", "good"),
    ("a comma, and\na line break, and more", "bad"),
    ('he said "no"\n"never", good', "good"),
    ("good\nbad", "bad"),
    ("not here\nbut here,good", "good"),
    ("\r\n, begins oddly", "bad"),
    ('"', "good"),
    ("plain", "bad"),
]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_texts_with_quotes_line_breaks_and_commas_are_unchanged(
    order: tuple[int, int], quoting: Any, tmp_path: Path
) -> None:
    path = tmp_path / "good.csv"
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file, quoting=quoting)
        writer.writerows([tuple(row[place] for place in order) for row in [("text", "label"), *GOOD]])
    found = read(configure(data=str(path)))
    assert list(zip(found.texts, found.labels, strict=True)) == GOOD


def test_valid_but_unusual_files_are_still_read(tmp_path: Path) -> None:
    path = tmp_path / "good.csv"
    path.write_text('text,label\nIt said "no" twice,1\n5" screen,0\n"two\nlines",1,,\nshort\n\n"",\n')
    found = read(configure(data=str(path)))
    assert found.texts == ['It said "no" twice', '5" screen', "two\nlines", "short", ""]
    assert found.labels == ["1", "0", "1", None, ""]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # datasets leaves it open
def test_a_fixed_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text(swallowing("a quoted text"))
    with pytest.raises(DataError):
        read(configure(data=str(path)))
    path.write_text(swallowing("a quoted text", ROWS[19]))
    assert len(read(configure(data=str(path))).texts) == 330
    assert len(read(configure(data=str(tmp_path))).texts) == 330
