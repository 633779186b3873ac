"""The registry of published models: champion, previous champion, candidates, and who promoted them.

`artifacts/model` is the champion, which `make up` serves and the image build copies. Every promotion is a
line in `artifacts/promotions.jsonl`; lines are never rewritten. MLflow's aliases champion, previous and
candidate follow. `promotion` decides whether a candidate may be promoted.
"""

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from training.errors import ModelError
from training.export.artifact import champion_of, link_champion

LEDGER = "promotions.jsonl"

Action = Literal["promoted", "forced", "rolled_back"]


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """One change of the champion."""

    action: Action
    model_version: str
    replaced: str | None
    by: str
    at: str
    why: str | None = None
    comparison: dict[str, Any] | None = None

    @property
    def reason(self) -> str | None:
        """Return the given reason and a summary of the comparison."""
        parts = [self.why] if self.why else []
        if self.comparison:
            rows = self.comparison["held_out"] + self.comparison["feedback"]
            parts.append(
                "{difference:+.1%} (95% interval {low:+.1%} to {high:+.1%})".format(**self.comparison)
                + f" against {self.replaced} on {rows:,} rows"
            )
        return "; ".join(parts) or None


def promotions(artifacts: Path) -> list[Promotion]:
    """Return all promotions, oldest first; an incomplete line, from a killed process, never took effect."""
    try:
        lines = (artifacts / LEDGER).read_text().splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        try:
            found.append(Promotion(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return found


def last_promotion_of(artifacts: Path, model_version: str) -> Promotion | None:
    """Return the last promotion of this version; None for a first model, which nobody promoted."""
    of_version = [one for one in promotions(artifacts) if one.model_version == model_version]
    return of_version[-1] if of_version else None


def previous_champion(artifacts: Path) -> str | None:
    """Return the version that served before the champion; None if there is none."""
    champion = champion_of(artifacts)
    promotion = last_promotion_of(artifacts, champion) if champion else None
    return promotion.replaced if promotion else None


def newest_candidate(artifacts: Path) -> str:
    """Return the newest version that has never served; raises ModelError when there is none."""
    champion = champion_of(artifacts)
    cards = {}
    for path in (artifacts / "models").glob("[!.]*/model.json"):
        try:
            cards[path.parent.name] = json.loads(path.read_text())["created_at"]
        except (ValueError, KeyError) as error:
            raise ModelError(f"{path} is damaged ({error}); remove its folder or train again") from error
    cards.pop(champion or "", None)
    served = {one.replaced for one in promotions(artifacts)}
    waiting = {version: created for version, created in cards.items() if version not in served}
    if not waiting:
        raise ModelError(
            f"no candidate in {artifacts / 'models'}: every model there serves or has served; train one, or "
            "give a version"
        )
    return max(waiting, key=lambda version: (waiting[version], version))


def promote(
    artifacts: Path,
    model_version: str,
    action: Action,
    *,
    by: str,
    why: str | None = None,
    comparison: dict[str, Any] | None = None,
) -> bool:
    """Make a published model the champion; return whether MLflow's registry has it, so aliases moved.

    Writes the ledger first, then the registry, then the link: if killed in between, the old champion serves,
    and running it again completes the promotion. Raises RegistryError, before anything is written, when
    MLflow's registry is unreachable.
    """
    from training.tracking import check_registry

    check_registry(artifacts)
    with (artifacts / LEDGER).open("a") as ledger:
        fcntl.flock(ledger, fcntl.LOCK_EX)  # of two at once, the second replaces the first
        return _promote(artifacts, model_version, action, by=by, why=why, comparison=comparison)


def promote_if_first(artifacts: Path, model_version: str) -> bool:
    """Make a published model the champion if there is none yet; return whether it was.

    The last step of a run: the link, which determines what serves, changes last and atomically.
    """
    from training.tracking import check_registry, set_aliases

    if champion_of(artifacts) is not None:
        return False
    check_registry(artifacts)
    with (artifacts / LEDGER).open("a") as ledger:
        fcntl.flock(ledger, fcntl.LOCK_EX)  # of two first runs at once, the second is a candidate
        if champion_of(artifacts) is not None:
            return False
        set_aliases(artifacts, champion=model_version, previous=None)
        link_champion(artifacts, model_version)
    return True


def _promote(
    artifacts: Path,
    model_version: str,
    action: Action,
    *,
    by: str,
    why: str | None,
    comparison: dict[str, Any] | None,
) -> bool:
    from training.tracking import set_aliases

    replaced = champion_of(artifacts)
    if replaced == model_version:  # only the aliases may be left to set
        return set_aliases(artifacts, champion=model_version, previous=previous_champion(artifacts))
    promotion = Promotion(
        action=action,
        model_version=model_version,
        replaced=replaced,
        by=by,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        why=why,
        comparison=comparison,
    )
    with (artifacts / LEDGER).open("a", encoding="utf-8") as ledger:
        if ledger.tell() and not _ends_with_newline(artifacts / LEDGER):
            ledger.write("\n")
        ledger.write(json.dumps(asdict(promotion), ensure_ascii=False) + "\n")
        ledger.flush()
        os.fsync(ledger.fileno())
    registered = set_aliases(artifacts, champion=model_version, previous=replaced)
    link_champion(artifacts, model_version)
    return registered


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
