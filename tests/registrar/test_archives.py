"""Only archives of regular files with a bounded size are unpacked."""

import io
import tarfile
from pathlib import Path

import pytest
from sentiment.exceptions import ModelError
from sqlalchemy import Engine

from functions.registrar import artifact as artifacts
from tests.registrar.conftest import Cloud, directory, pack
from tests.registrar.registration import nothing_happened, register


def archive_of(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return target.getvalue()


def link(kind: bytes, to: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo("model.onnx")
    member.type, member.linkname = kind, to
    return member


@pytest.mark.parametrize(
    "member",
    [
        tarfile.TarInfo("../escaped"),
        tarfile.TarInfo("/escaped"),
        tarfile.TarInfo("folder/model.onnx"),
        tarfile.TarInfo(".hidden"),
        tarfile.TarInfo("-rf\n"),
        directory("folder"),
        link(tarfile.SYMTYPE, "/etc/passwd"),
        link(tarfile.LNKTYPE, "model.json"),
        link(tarfile.FIFOTYPE, ""),
    ],
    ids=lambda member: f"{member.name!r}-{member.type.decode()}",
)
def test_an_archive_with_a_path_outside_its_folder_is_rejected(
    cloud: Cloud, database: Engine, tmp_path: Path, member: tarfile.TarInfo
) -> None:
    cloud.upload(archive_of((member, b"")))
    with pytest.raises(ModelError, match="is not a regular file at the top level"):
        register()
    assert nothing_happened(cloud, database)


def test_a_duplicate_name_is_rejected(cloud: Cloud, database: Engine) -> None:
    cloud.upload(archive_of((tarfile.TarInfo("model.json"), b"{}"), (tarfile.TarInfo("./model.json"), b"[]")))
    with pytest.raises(ModelError, match=r"'model\.json' twice"):
        register()


def test_an_archive_that_unpacks_to_too_much_is_rejected(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, artifact: Path
) -> None:
    monkeypatch.setattr(artifacts, "LARGEST_BYTES", 1_000)
    cloud.upload(archive_of((tarfile.TarInfo("zeros"), bytes(1_001))))
    with pytest.raises(ModelError, match="more than 1,000 bytes"):
        register()


def test_an_invalid_or_truncated_archive_is_rejected(cloud: Cloud, artifact: Path) -> None:
    whole = pack(artifact)
    for content in (b"not an archive", whole[: len(whole) // 2], whole[:20], b""):
        cloud.upload(content)
        with pytest.raises(ModelError, match=r"cannot be unpacked|model\.json is missing"):
            register()
    assert cloud.objects() == {}
