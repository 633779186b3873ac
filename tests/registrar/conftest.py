"""The registrar with real Postgres, and moto's S3 and SNS."""

import io
import shutil
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID
from moto.sns import sns_backends
from sentiment.notifications import sns
from sqlalchemy import Engine

from functions.registrar import handler
from tests.fixtures.postgres import database, migrated_template, postgres

__all__ = ["database", "migrated_template", "postgres"]

REGION = "eu-central-1"
BUCKET = "artifacts-example"
OUTPUT = "training/nightly-2026-11-23/export/output/model.tar.gz"  # as in events/registrar_register_run.json


@dataclass
class Cloud:
    """The objects and notifications of the registrar."""

    s3: Any
    topic: str

    def objects(self, prefix: str = "models/") -> dict[str, bytes]:
        listed = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
        keys = [item["Key"] for item in listed]
        return {key: self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}

    def published(self) -> list[dict[str, Any]]:
        sent = sns_backends[DEFAULT_ACCOUNT_ID][REGION].topics[self.topic].sent_notifications
        return [
            {"message": message, "subject": subject, "attributes": attributes}
            for _, message, subject, attributes, *_ in sent
        ]

    def upload(self, archive: bytes) -> None:
        self.s3.put_object(Bucket=BUCKET, Key=OUTPUT, Body=archive)


@pytest.fixture
def cloud(database: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    for name, value in [("ACCESS_KEY_ID", "x"), ("SECRET_ACCESS_KEY", "x"), ("DEFAULT_REGION", REGION)]:
        monkeypatch.setenv(f"AWS_{name}", value)
    with mock_aws():
        handler.s3.cache_clear()
        sns.cache_clear()
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        topic = boto3.client("sns").create_topic(Name="alerts")["TopicArn"]
        monkeypatch.setenv("ARTIFACT_BUCKET", BUCKET)
        monkeypatch.setenv("ALERT_TOPIC_ARN", topic)
        yield Cloud(s3, topic)
    handler.s3.cache_clear()
    sns.cache_clear()


def pack(folder: Path, prefix: str = "./") -> bytes:
    """Pack a folder's files as SageMaker packs /opt/ml/model."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        archive.addfile(directory("./"))
        for path in sorted(folder.iterdir()):
            archive.add(path, arcname=f"{prefix}{path.name}")
    return target.getvalue()


def directory(name: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = tarfile.DIRTYPE
    return member


@pytest.fixture
def artifact(tiny_artifact: Path, tmp_path: Path) -> Path:
    """A copy of a real artifact, to be damaged."""
    return shutil.copytree(tiny_artifact, tmp_path / "artifact")


@pytest.fixture
def output(cloud: Cloud, artifact: Path) -> Callable[[], None]:
    """Upload the artifact in its current state as the export job's output."""
    return lambda: cloud.upload(pack(artifact))
