"""The artifact in a training job's output: unpacked as untrusted input, verified, and published completely.

Only regular files with plain names are unpacked, and only those that the model card lists are published.
"""

import re
import shutil
import tarfile
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar

from pydantic import AwareDatetime, BaseModel, Field
from sentiment.exceptions import InvalidInputError, ModelError
from sentiment.model_card import CARD_FILE, FILE_NAME, ModelCard, read_card, verify_files

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Of all files together: four times DistilBERT-base in fp32, and less than the function's /tmp.
LARGEST_BYTES = 1_000_000_000


class DataRecord(BaseModel):
    """The data that the model was trained on."""

    name: str
    fingerprint: str
    rows: dict[str, int]
    dropped: dict[str, int] = Field(default_factory=dict)
    metrics: dict[str, dict[str, Any]] = Field(default_factory=dict)  # by split; older exports have none


class RegisteredCard(ModelCard):
    """The part of the model card that is registered."""

    required_files: ClassVar[frozenset[str]] = frozenset(
        {"model.onnx", "tokenizer.json", "reference.parquet"}
    )

    # Becomes a folder name in the bucket, so the characters are restricted.
    model_version: str = Field(pattern="^[0-9]{8}-[0-9a-f]{8}$")
    created_at: AwareDatetime
    metrics: dict[str, Any]
    data: DataRecord | None = None
    training: dict[str, Any] = Field(default_factory=dict)
    mlflow_run_id: str | None = None


def unpack(archive: IO[bytes], folder: Path) -> None:
    """Unpack a model.tar.gz of plain files into an empty folder, or raise ModelError."""
    remaining_bytes = LARGEST_BYTES
    try:
        with tarfile.open(fileobj=archive, mode="r|gz") as members:
            for member in members:
                name = member.name.removeprefix("./")
                if member.isdir() and name in ("", "."):
                    continue
                if not member.isreg() or not re.fullmatch(FILE_NAME, name):
                    raise ModelError(
                        f"the archive contains {member.name!r}, which is not a regular file at the top level"
                    )
                remaining_bytes -= member.size
                if remaining_bytes < 0:
                    raise ModelError(f"the archive unpacks to more than {LARGEST_BYTES:,} bytes")
                source = members.extractfile(member)
                assert source is not None  # noqa: S101 - it is a regular file; narrows the type
                with source, (folder / name).open("xb") as target:
                    shutil.copyfileobj(source, target)
    except FileExistsError as error:
        raise ModelError(f"the archive contains {Path(error.filename).name!r} twice") from None
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise ModelError(f"the archive cannot be unpacked: {error or type(error).__name__}") from None


def verify(folder: Path) -> RegisteredCard:
    """Return the card of an unpacked artifact; raises ModelError unless every file it lists is intact."""
    try:
        card = read_card(folder, RegisteredCard)
        verify_files(folder, card)
    except ModelError as error:
        raise ModelError(f"the archive is not a complete artifact: {error}") from None
    return card


def publish(s3: "S3Client", bucket: str, folder: Path, card: RegisteredCard) -> str:
    """Upload the card's files to models/<version>/, the card last, and return the folder's URI.

    So a folder with a card is complete. Safe to repeat. Raises InvalidInputError if the version exists with
    other content.
    """
    prefix = f"models/{card.model_version}/"
    content = (folder / CARD_FILE).read_bytes()
    existing = _read(s3, bucket, prefix + CARD_FILE)
    if existing is None:
        for name in card.files:
            s3.upload_file(str(folder / name), bucket, prefix + name)
        s3.put_object(Bucket=bucket, Key=prefix + CARD_FILE, Body=content, ContentType="application/json")
    elif existing != content:
        raise InvalidInputError(
            f"s3://{bucket}/{prefix} contains another model; a version is never overwritten"
        )
    return f"s3://{bucket}/{prefix}"


def is_published(s3: "S3Client", bucket: str, model_version: str) -> bool:
    """Return whether the bucket has that version completely."""
    return _read(s3, bucket, f"models/{model_version}/{CARD_FILE}") is not None


def _read(s3: "S3Client", bucket: str, key: str) -> bytes | None:
    # List first: a get of a missing key without list permission fails with AccessDenied, as an error in the
    # role would.
    found = s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents", [])
    if not found or found[0]["Key"] != key:
        return None
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read()
