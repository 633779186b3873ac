import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from functions.drift_monitor.detection.features import FEATURES
from functions.drift_monitor.detection.reference import read_reference
from functions.drift_monitor.errors import MonitorError
from tests.drift_monitor.sample_data import Row, make_artifact, write_table


def test_the_reference_of_a_real_export_is_read(tiny_artifact: Path) -> None:
    read = read_reference(tiny_artifact)
    assert read.card.labels == ["negative", "positive"]
    assert len(read.table) > 10
    scored_later = {"text (domain score)"}
    assert {feature.source for feature in FEATURES} - scored_later <= set(read.table)


def test_the_reference_of_an_older_export_lacks_newer_features(reviews: list[Row], tmp_path: Path) -> None:
    complete = pa.Table.from_pylist(reviews[:20])
    nothing = pa.array([None] * 20, pa.float64())
    older = complete.drop_columns("unknown_tokens").set_column(
        complete.column_names.index("novelty") - 1, "novelty", nothing
    )
    write_table(tmp_path, older)
    table = read_reference(tmp_path).table
    assert {feature.name for feature in FEATURES} - set(table) == {"unknown_pieces", "novelty"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop_columns("tokens"), "lacks tokens, or its type is wrong"),
        (
            lambda table: table.set_column(
                table.column_names.index("truncated"), "truncated", pa.array(["yes"] * len(table))
            ),
            "lacks truncated, or its type is wrong",
        ),
        (lambda table: table.slice(0, 0), "rows without one probability per label"),
    ],
)
def test_a_reference_with_wrong_columns_is_a_mismatch(
    reviews: list[Row], tmp_path: Path, change: Any, message: str
) -> None:
    write_table(tmp_path, change(pa.Table.from_pylist(reviews[:20])))
    with pytest.raises(MonitorError, match=message) as raised:
        read_reference(tmp_path)
    assert raised.value.cause == "schema"


def test_a_reference_with_other_labels_than_its_card_is_a_mismatch(
    reviews: list[Row], tmp_path: Path
) -> None:
    with pytest.raises(MonitorError, match="has 2 labels that its model card lacks"):
        read_reference(make_artifact(tmp_path, reviews[:20], labels=["bad", "good"]))
    with pytest.raises(MonitorError, match="one probability per label"):
        read_reference(make_artifact(tmp_path, reviews[:20], labels=["a", "b", "c"]))


def test_a_file_that_is_not_parquet_cannot_be_read(reviews: list[Row], tmp_path: Path) -> None:
    make_artifact(tmp_path, reviews[:20])
    garbage = b"PAR1 this is not"
    (tmp_path / "reference.parquet").write_bytes(garbage)
    card = json.loads((tmp_path / "model.json").read_text())
    record = {"bytes": len(garbage), "sha256": hashlib.sha256(garbage).hexdigest()}
    card["files"]["reference.parquet"] = record
    (tmp_path / "model.json").write_text(json.dumps(card))
    with pytest.raises(MonitorError, match="cannot be read"):
        read_reference(tmp_path)
