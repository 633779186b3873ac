"""The artifact of a finished run is complete and intact when it is published, and never replaced."""

from pathlib import Path
from typing import Any

import pytest
from sentiment.exceptions import InvalidInputError, ModelError
from sqlalchemy import Engine

from functions.registrar import artifact as artifacts
from tests.registrar.conftest import BUCKET, OUTPUT, Cloud
from tests.registrar.registration import Upload, card_of, edit_card, nothing_happened, register


def test_a_version_is_never_overwritten(
    cloud: Cloud, output: Upload, artifact: Path, database: Engine
) -> None:
    output()
    register()
    objects = cloud.objects()
    edit_card(artifact, base_model="another")
    output()
    with pytest.raises(InvalidInputError, match="contains another model"):
        register()
    assert cloud.objects() == objects


def test_interrupted_uploads_leave_no_card(cloud: Cloud, output: Upload, artifact: Path) -> None:
    """The card is uploaded last: interrupt the upload at each file."""
    output()
    real, files = cloud.s3.upload_file, sorted(card_of(artifact)["files"])

    class Interrupted:
        exceptions = cloud.s3.exceptions
        get_object = cloud.s3.get_object
        list_objects_v2 = cloud.s3.list_objects_v2
        put_object = cloud.s3.put_object

        def upload_file(self, path: str, bucket: str, key: str) -> None:
            if key.endswith(files[-1]):
                raise ConnectionError("pulled the plug")
            real(path, bucket, key)

    card = artifacts.verify(artifact)
    with pytest.raises(ConnectionError):
        artifacts.publish(Interrupted(), BUCKET, artifact, card)
    assert not artifacts.is_published(cloud.s3, BUCKET, card.model_version)
    register()
    assert artifacts.is_published(cloud.s3, BUCKET, card.model_version)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "reference.parquet", "golden.json"])
def test_a_damaged_file_is_named_and_nothing_is_registered(
    cloud: Cloud, output: Upload, artifact: Path, database: Engine, name: str
) -> None:
    with (artifact / name).open("r+b") as file:
        file.seek(10)
        file.write(b"\x00")
    output()
    with pytest.raises(ModelError, match=f"{name} has sha256 [0-9a-f]{{64}} but its card says"):
        register()
    assert nothing_happened(cloud, database)


@pytest.mark.parametrize("name", ["model.onnx", "golden.json", "model.json"])
def test_a_missing_file_is_named_and_nothing_is_registered(
    cloud: Cloud, output: Upload, artifact: Path, database: Engine, name: str
) -> None:
    (artifact / name).unlink()
    output()
    with pytest.raises(ModelError, match=name):
        register()
    assert nothing_happened(cloud, database)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"model_version": "../20261123-1a2b3c4d"}, "model_version"),
        ({"model_version": "latest"}, "model_version"),
        ({"schema_version": 2}, "schema_version"),
        ({"files": {}}, "files lacks model.onnx, reference.parquet, tokenizer.json"),
        ({"files": {"../../etc/passwd": {"bytes": 1, "sha256": "0f" * 32}}}, "files"),
    ],
)
def test_an_invalid_card_is_rejected(
    cloud: Cloud, output: Upload, artifact: Path, database: Engine, changes: dict[str, Any], problem: str
) -> None:
    edit_card(artifact, **changes)
    output()
    with pytest.raises(ModelError, match=problem):
        register()
    assert nothing_happened(cloud, database)


def test_a_missing_output_raises_the_error_of_s3(cloud: Cloud) -> None:
    with pytest.raises(cloud.s3.exceptions.NoSuchKey):
        register(model_uri=f"s3://{BUCKET}/{OUTPUT}.gone")
