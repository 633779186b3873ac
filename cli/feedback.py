"""`sentiment export-feedback`: what people labelled, as rows that `sentiment train --extra-data` takes.

A text is written once, with the last label that it was given. Rows that the model was measured on, or nearly
so, are left out here as well as by training: a file that goes elsewhere must not carry the test split.
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

from cli.environment import needed

if TYPE_CHECKING:
    from sentiment.database.feedback import LabelledText

COLUMNS = ("text", "label", "prediction_id", "given_at")


@dataclass(frozen=True)
class Held:
    """What an artifact was measured on, and the labels that it knows."""

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
        typer.Option(help="A .csv, .parquet or .jsonl file; replaced only when all rows are written."),
    ],
    since: Annotated[
        str | None,
        typer.Option(help="Only labels given since then, such as 2026-11-01 or 2026-11-01T08:00:00+01:00."),
    ] = None,
    model_version: Annotated[
        str | None, typer.Option(help="Only labels of this version's predictions.")
    ] = None,
    artifact: Annotated[Path, typer.Option(help="The artifact whose held-out rows are left out.")] = Path(
        "artifacts/model"
    ),
) -> None:
    """Write the texts that people labelled as a training set, without any that the model was measured on."""
    from sentiment.database.feedback import count_unreadable_labels, labelled_texts
    from sentiment.database.session import DatabaseSettings, make_engine, transaction
    from sentiment.settings import read_settings

    if to.suffix not in WRITERS:
        raise InvalidInputError(f"{to}: the name should end in {', '.join(WRITERS)}")
    if not to.parent.is_dir():
        raise ConfigurationError(f"{to.parent} is not a folder")
    held = read_held_out(artifact)
    needed("DATABASE_HOST", "the Postgres to read")
    narrowed: dict[str, Any] = {"since": _instant(since), "model_version": model_version}
    engine = make_engine(read_settings(DatabaseSettings))
    try:
        with transaction(engine) as session:
            given = list(labelled_texts(session, **narrowed))
            unreadable = count_unreadable_labels(session, **narrowed)
    finally:
        engine.dispose()
    rows, counts = training_set(given, held)
    if unreadable:
        counts["without a stored text"] = unreadable
    left_out = ", ".join(f"{count:,} {reason}" for reason, count in counts.items())
    if not rows:
        raise InvalidInputError(_why_nothing(left_out, unreadable=unreadable, readable=len(given)))
    _write(to, rows)
    console = Console()
    console.print(f"{len(rows):,} rows written to {to}", highlight=False, soft_wrap=True)
    console.print(f"left out: {left_out or 'none'}", highlight=False, soft_wrap=True)


def training_set(given: Iterable["LabelledText"], held: Held) -> tuple[list["LabelledText"], Counter[str]]:
    """Return each text once with its last label, oldest label first, and how many were left out and why."""
    from training.data.near_duplicates import HeldOutTexts, normalized

    counts: Counter[str] = Counter()
    latest: dict[str, LabelledText] = {}
    for one in sorted(given, key=lambda one: (one.given_at, one.id)):
        text = normalized(one.text)
        before = latest.pop(text, None)
        if before is not None:
            counts["repeated" if before.label == one.label else "contradicted by a later label"] += 1
        latest[text] = one
    index = HeldOutTexts(held.texts)
    rows = []
    for one in latest.values():
        if one.label not in held.labels:
            counts["with a label that the model does not have"] += 1
        elif index.repeated_by(one.text):
            counts["that equal or nearly equal a row of the test split"] += 1
        else:
            rows.append(one)
    return rows, counts


def read_held_out(artifact: Path) -> Held:
    """Read the test split out of an artifact; raises ModelError when it is missing or damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from sentiment.model_card import CARD_FILE, ModelCard, read_card, read_file

    if not (artifact / CARD_FILE).is_file():
        raise ModelError(
            f"{artifact} is no artifact; name the one that serves with --artifact, or train one: without its "
            "held-out rows nobody can tell which labels would leak into training"
        )
    try:
        card = read_card(artifact, ModelCard)
        reference = pa.BufferReader(read_file(artifact, "reference.parquet", card))
        texts = pq.read_table(reference, columns=["text"])["text"].to_pylist()
        return Held(texts, frozenset(card.labels))
    except (ModelError, KeyError, ValueError, pa.ArrowException) as error:
        raise ModelError(f"{artifact} is damaged ({error}); train again") from None


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInputError("--since: give a date or time in ISO 8601, such as 2026-11-01") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _why_nothing(left_out: str, *, unreadable: int, readable: int) -> str:
    if readable:
        return f"no row is left to write; left out: {left_out}"
    if unreadable:
        return (
            f"all {unreadable:,} labelled predictions are stored without their text, so there is nothing to "
            "train on: PRIVACY_MODE hashed keeps no texts, full and redacted do"
        )
    return "nobody has labelled a prediction yet, or none of these; labels come in through POST …/feedback"


def _write(to: Path, rows: Sequence["LabelledText"]) -> None:
    """Write the rows beside the file and put them into its place in one step."""
    partial = to.with_name(f".{to.name}.partial")
    records = [
        dict(zip(COLUMNS, (one.text, one.label, str(one.id), one.given_at.isoformat()), strict=True))
        for one in rows
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
