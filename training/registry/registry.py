"""Which published model serves, which did before it, and who decided so.

`artifacts/model` is the champion: what `make up` serves and what the image build copies. Every change of it
is a line in `artifacts/promotions.jsonl`, and no line is ever rewritten. MLflow's aliases champion, previous
and candidate say the same to whoever looks there. Whether a model may take over: `promotion`.
"""

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from training.errors import ModelError
from training.export.artifact import champion_of, point_at

LEDGER = "promotions.jsonl"

Action = Literal["promoted", "forced", "rolled_back"]


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """One decision about what serves."""

    action: Action
    model_version: str
    replaced: str | None
    by: str
    at: str
    why: str | None = None
    comparison: dict[str, Any] | None = None

    @property
    def reason(self) -> str | None:
        """Return why in words: those that were given, and what the comparison said."""
        parts = [self.why] if self.why else []
        if self.comparison:
            rows = self.comparison["held_out"] + self.comparison["feedback"]
            parts.append(
                "{difference:+.1%} (95% interval {low:+.1%} to {high:+.1%})".format(**self.comparison)
                + f" against {self.replaced} on {rows:,} rows"
            )
        return "; ".join(parts) or None


def promotions(artifacts: Path) -> list[Promotion]:
    """Return all decisions, oldest first; a line that a kill cut short was never acted on."""
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


def decision_on(artifacts: Path, model_version: str) -> Promotion | None:
    """Return the last decision that this version shall serve; None for a first model, which nobody chose."""
    chosen = [one for one in promotions(artifacts) if one.model_version == model_version]
    return chosen[-1] if chosen else None


def previous_to(artifacts: Path) -> str | None:
    """Return the version that served before the champion; None when nothing did."""
    champion = champion_of(artifacts)
    decision = decision_on(artifacts, champion) if champion else None
    return decision.replaced if decision else None


def newest_candidate(artifacts: Path) -> str:
    """Return the version that was published last and does not serve; raises ModelError when there is none."""
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
            "name a version"
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
    """Make a published model the champion; return whether MLflow's registry knows it, so that aliases moved.

    Written down first, then the registry, then the link: a kill in between leaves the old champion serving,
    and doing it again completes it. Raises RegistryError, before anything is written, when MLflow's registry
    cannot be reached.
    """
    from training.tracking import check_registry

    check_registry(artifacts)
    with (artifacts / LEDGER).open("a") as ledger:
        fcntl.flock(ledger, fcntl.LOCK_EX)  # two at once: the second replaces what the first put there
        return _promote(artifacts, model_version, action, by=by, why=why, comparison=comparison)


def serve_if_first(artifacts: Path, model_version: str) -> bool:
    """Make a published model the champion if nothing serves yet, which is nobody's decision; return whether.

    The last step of a run: the link, which is what serves, changes last and at once.
    """
    from training.tracking import check_registry, point_aliases

    if champion_of(artifacts) is not None:
        return False
    check_registry(artifacts)
    with (artifacts / LEDGER).open("a") as ledger:
        fcntl.flock(ledger, fcntl.LOCK_EX)  # of two first runs at once the second is a candidate
        if champion_of(artifacts) is not None:
            return False
        point_aliases(artifacts, champion=model_version, previous=None)
        point_at(artifacts, model_version)
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
    from training.tracking import point_aliases

    replaced = champion_of(artifacts)
    if replaced == model_version:  # only the aliases may be left to move
        return point_aliases(artifacts, champion=model_version, previous=previous_to(artifacts))
    decision = Promotion(
        action=action,
        model_version=model_version,
        replaced=replaced,
        by=by,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        why=why,
        comparison=comparison,
    )
    with (artifacts / LEDGER).open("a", encoding="utf-8") as ledger:
        if ledger.tell() and not _ends_a_line(artifacts / LEDGER):
            ledger.write("\n")
        ledger.write(json.dumps(asdict(decision), ensure_ascii=False) + "\n")
        ledger.flush()
        os.fsync(ledger.fileno())
    registered = point_aliases(artifacts, champion=model_version, previous=replaced)
    point_at(artifacts, model_version)
    return registered


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
