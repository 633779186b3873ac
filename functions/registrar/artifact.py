"""The artifact inside a training job's output: unpacked without trust, verified, and published whole.

What comes out of a job is an archive that somebody else wrote. Nothing in it is placed by its own word: only
plain files with plain names are taken, and only those that the model card vouches for leave this module.
"""

import hashlib
import re
import shutil
import tarfile
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from sentiment.exceptions import InvalidInputError, ModelError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CARD = "model.json"
NEEDED = {"model.onnx", "tokenizer.json", "reference.parquet"}
FILE_NAME = r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$"
# Of all files together: four times what DistilBERT-base takes in fp32, and within the function's /tmp.
LARGEST_BYTES = 1_000_000_000

FileName = Annotated[str, Field(pattern=FILE_NAME)]


class FileRecord(BaseModel):
    """How large a file was and what it hashed to when it was exported."""

    bytes: int = Field(gt=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class DataRecord(BaseModel):
    """What the model was trained on."""

    name: str
    fingerprint: str
    rows: dict[str, int]
    dropped: dict[str, int] = Field(default_factory=dict)
    metrics: dict[str, dict[str, Any]] = Field(default_factory=dict)  # by split; older exports have none


class Card(BaseModel):
    """The part of the model card that is registered."""

    model_config = ConfigDict(protected_namespaces=(), frozen=True)

    schema_version: Literal[1]
    # Becomes a folder in the bucket, so it may hold nothing that a folder's name could not.
    model_version: str = Field(pattern="^[0-9]{8}-[0-9a-f]{8}$")
    created_at: AwareDatetime
    labels: list[str]
    metrics: dict[str, Any]
    files: dict[FileName, FileRecord]
    data: DataRecord | None = None
    training: dict[str, Any] = Field(default_factory=dict)
    mlflow_run_id: str | None = None


def unpack(archive: IO[bytes], folder: Path) -> None:
    """Unpack a model.tar.gz of plain files into an empty folder, or raise ModelError."""
    left = LARGEST_BYTES
    try:
        with tarfile.open(fileobj=archive, mode="r|gz") as members:
            for member in members:
                name = member.name.removeprefix("./")
                if member.isdir() and name in ("", "."):
                    continue
                if not member.isreg() or not re.fullmatch(FILE_NAME, name):
                    raise ModelError(f"the archive holds {member.name!r}, which is no plain file at its top")
                left -= member.size
                if left < 0:
                    raise ModelError(f"the archive unpacks to more than {LARGEST_BYTES:,} bytes")
                source = members.extractfile(member)
                assert source is not None  # noqa: S101 - it is a regular file; narrows the type
                with source, (folder / name).open("xb") as target:
                    shutil.copyfileobj(source, target)
    except FileExistsError as error:
        raise ModelError(f"the archive holds {Path(error.filename).name!r} twice") from None
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise ModelError(f"the archive cannot be unpacked: {error or type(error).__name__}") from None


def verify(folder: Path) -> Card:
    """Return the card of an unpacked artifact; raises ModelError unless every file it lists is whole."""
    try:
        card = Card.model_validate_json((folder / CARD).read_bytes())
    except FileNotFoundError:
        raise ModelError(f"the archive has no {CARD}: it is not the output of an export") from None
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, problem["loc"])) or "card"
        raise ModelError(f"{CARD} cannot be registered: {where}: {problem['msg']}") from None
    if absent := NEEDED - card.files.keys():
        raise ModelError(f"{CARD} does not vouch for {', '.join(sorted(absent))}")
    for name, expected in card.files.items():
        path = folder / name
        if not path.is_file():
            raise ModelError(f"{name} is missing from the archive but {CARD} lists it")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if (path.stat().st_size, digest) != (expected.bytes, expected.sha256):
            raise ModelError(f"{name} is not the file that {CARD} vouches for")
    return card


def publish(s3: "S3Client", bucket: str, folder: Path, card: Card) -> str:
    """Put the card's files under models/<version>/, the card last, and return that folder's address.

    So a folder with a card is whole, and one without is nothing yet. Repeating it changes nothing. Raises
    InvalidInputError when that version is there with other content.
    """
    prefix = f"models/{card.model_version}/"
    content = (folder / CARD).read_bytes()
    there = _read(s3, bucket, prefix + CARD)
    if there is None:
        for name in card.files:
            s3.upload_file(str(folder / name), bucket, prefix + name)
        s3.put_object(Bucket=bucket, Key=prefix + CARD, Body=content, ContentType="application/json")
    elif there != content:
        raise InvalidInputError(f"s3://{bucket}/{prefix} holds another model; a version is never overwritten")
    return f"s3://{bucket}/{prefix}"


def is_published(s3: "S3Client", bucket: str, model_version: str) -> bool:
    """Say whether the bucket holds that version whole."""
    return _read(s3, bucket, f"models/{model_version}/{CARD}") is not None


def _read(s3: "S3Client", bucket: str, key: str) -> bytes | None:
    # Listing names the prefix that the role may list. To a get alone, S3 may say of a missing key that access
    # is denied, which could as well be a mistake in the role.
    found = s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents", [])
    if not found or found[0]["Key"] != key:
        return None
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read()
