"""`sentiment export-feedback`: labels from feedback as rows for `sentiment train --extra-data`.

Each text is written once, with its last label. Rows that equal or nearly equal a row of the test split are
left out here too, and not only by training: a file that is used elsewhere must not contain the test split.
"""

import csv
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from sentiment.exceptions import ConfigurationError, InvalidInputError, ModelError

from cli.env_vars import required

if TYPE_CHECKING:
    from sentiment.database.feedback import LabeledText

COLUMNS = ("text", "label", "prediction_id", "given_at")


@dataclass(frozen=True)
class HeldOut:
    """The test split of an artifact, and its labels."""

    texts: list[str]
    labels: frozenset[str]


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "export-feedback",
        epilog="Example: [bold]sentiment export-feedback --to feedback.jsonl[/] and then "
        "[bold]sentiment train --extra-data feedback.jsonl[/]",
    )(export_feedback)


def export_feedback(
    to: Annotated[
        Path,
        typer.Option(help="A .csv, .parquet or .jsonl file, replaced only after all rows are written."),
    ],
    since: Annotated[
        str | None,
        typer.Option(help="Only labels given since then, such as 2026-11-01 or 2026-11-01T08:00:00+01:00."),
    ] = None,
    model_version: Annotated[
        str | None, typer.Option(help="Only labels of predictions by this version.")
    ] = None,
    artifact: Annotated[Path, typer.Option(help="The artifact whose test split is left out.")] = Path(
        "artifacts/model"
    ),
) -> None:
    """Write labeled predictions as a training set, without rows of the model's test split."""
    from sentiment.database.feedback import count_unreadable_labels, labeled_texts
    from sentiment.database.session import DatabaseSettings, make_engine, transaction
    from sentiment.settings import read_settings

    if to.suffix not in WRITERS:
        raise InvalidInputError(f"{to}: the file name must end in {', '.join(WRITERS)}")
    if not to.parent.is_dir():
        raise ConfigurationError(f"{to.parent} is not a folder")
    held_out = read_held_out(artifact)
    required("DATABASE_HOST", "the Postgres to read")
    filters: dict[str, Any] = {"since": _parse_time(since), "model_version": model_version}
    engine = make_engine(read_settings(DatabaseSettings))
    try:
        with transaction(engine) as session:
            labeled = list(labeled_texts(session, **filters))
            unreadable = count_unreadable_labels(session, **filters)
    finally:
        engine.dispose()
    rows, counts = training_set(labeled, held_out)
    if unreadable:
        counts["without a stored text"] = unreadable
    left_out = ", ".join(f"{count:,} {reason}" for reason, count in counts.items())
    if not rows:
        raise InvalidInputError(_explain_empty(left_out, unreadable=unreadable, readable=len(labeled)))
    _write(to, rows)
    console = Console()
    console.print(f"{len(rows):,} rows written to {to}", highlight=False, soft_wrap=True)
    console.print(f"left out: {left_out or 'none'}", highlight=False, soft_wrap=True)


def training_set(
    labeled: Iterable["LabeledText"], held_out: HeldOut
) -> tuple[list["LabeledText"], Counter[str]]:
    """Return each text once with its last label, oldest label first, and the number left out by reason."""
    from training.data.near_duplicates import HeldOutTexts, normalized

    counts: Counter[str] = Counter()
    latest: dict[str, LabeledText] = {}
    for row in sorted(labeled, key=lambda row: (row.given_at, row.id)):
        text = normalized(row.text)
        before = latest.pop(text, None)
        if before is not None:
            counts["repeated" if before.label == row.label else "contradicted by a later label"] += 1
        latest[text] = row
    index = HeldOutTexts(held_out.texts)
    rows = []
    for row in latest.values():
        if row.label not in held_out.labels:
            counts["with a label that the model does not have"] += 1
        elif index.has_near_duplicate(row.text):
            counts["that equal or nearly equal a row of the test split"] += 1
        else:
            rows.append(row)
    return rows, counts


def read_held_out(artifact: Path) -> HeldOut:
    """Read the test split of an artifact; raises ModelError when it is missing or damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from sentiment.model_card import CARD_FILE, ModelCard, read_card, read_file

    if not (artifact / CARD_FILE).is_file():
        raise ModelError(
            f"{artifact} is not an artifact; name the serving one with --artifact, or train one. Its test "
            "split is needed to keep the test rows out of training"
        )
    try:
        card = read_card(artifact, ModelCard)
        reference = pa.BufferReader(read_file(artifact, "reference.parquet", card))
        texts = pq.read_table(reference, columns=["text"])["text"].to_pylist()
        return HeldOut(texts, frozenset(card.labels))
    except (ModelError, KeyError, ValueError, pa.ArrowException) as error:
        raise ModelError(f"{artifact} is damaged ({error}); train again") from None


def _parse_time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInputError("--since: give a date or time in ISO 8601, such as 2026-11-01") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _explain_empty(left_out: str, *, unreadable: int, readable: int) -> str:
    if readable:
        return f"no rows to write; left out: {left_out}"
    if unreadable:
        return (
            f"all {unreadable:,} labeled predictions are stored without their text, so there is nothing to "
            "train on: PRIVACY_MODE=hashed stores no texts, full and redacted do"
        )
    return "no matching prediction is labeled; labels are given with POST …/feedback"


def _write(to: Path, rows: Sequence["LabeledText"]) -> None:
    """Write the rows atomically."""
    partial = to.with_name(f".{to.name}.partial")
    records = [
        dict(zip(COLUMNS, (row.text, row.label, str(row.id), row.given_at.isoformat()), strict=True))
        for row in rows
    ]
    try:
        WRITERS[to.suffix](partial, records)
        partial.replace(to)
    finally:
        partial.unlink(missing_ok=True)


def _write_csv(path: Path, records: list[dict[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(records)


def _write_jsonl(path: Path, records: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def _write_parquet(path: Path, records: list[dict[str, str]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(records), path, compression="zstd")


WRITERS = {".csv": _write_csv, ".parquet": _write_parquet, ".jsonl": _write_jsonl}
