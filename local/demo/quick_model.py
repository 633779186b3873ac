"""The model of the demo: trained by `--quick`, or reused while it is up to date.

It becomes the champion unless it may be worse than the current one.
"""

from pathlib import Path
from typing import Any

from local.deployment import current_user
from local.progress import Steps

REASON = "make demo"


def train_quick(artifacts: Path, steps: Steps) -> bool:
    """Train the quick model unless it is up to date; return whether it was reused."""
    from training.config import configure
    from training.evaluation import served
    from training.export.artifact import champion_of
    from training.pipeline import current_artifact, run
    from training.progress import RichProgress
    from training.registry import promotion, registry

    config = configure(quick=True, artifacts=artifacts)
    with steps.step("look for an up-to-date model"):
        artifact = current_artifact(config)
    if artifact is not None:
        version, champion = artifact.card["model_version"], champion_of(artifacts)
        if champion is None:  # its run may have failed after publishing it
            promotion.check_gate(served.ServedModel(served.read_artifact(artifact.folder)))
            registry.promote(artifacts, version, "promoted", by=current_user(), why=REASON)
        elif champion != version:
            steps.console.print(
                f"{champion} serves; to use the up-to-date model, run `sentiment promote {version}`",
                highlight=False,
                soft_wrap=True,
            )
        return True
    with steps.step("train, export and register", spinner=False), RichProgress(steps.console) as progress:
        artifact = run(config, progress)
        not_promoted = promote_unless_worse(artifacts, artifact.card["model_version"], progress)
    if not_promoted:
        steps.console.print(not_promoted, highlight=False, soft_wrap=True)
    return not_promoted is not None


def promote_unless_worse(artifacts: Path, model_version: str, progress: Any) -> str | None:
    """Promote the trained model; return the reason if it is not promoted."""
    from training.errors import TrainingError
    from training.evaluation import served
    from training.export.artifact import champion_of
    from training.registry import promotion, registry

    champion = champion_of(artifacts)
    if champion == model_version:
        return None
    try:
        current, candidate = (
            served.ServedModel(served.read_artifact(artifacts / "models" / version), progress)
            for version in (str(champion), model_version)
        )
        comparison = promotion.compare(current, candidate, [])
    except TrainingError as error:  # the user's own model: other labels, other data, or damaged
        return f"{champion} remains the champion: {error}"
    if not comparison.allows(promotion.MARGIN):
        return (
            f"{model_version} may be {-100 * comparison.low:.1f} points worse than {champion}, which "
            "remains the champion"
        )
    registry.promote(
        artifacts,
        model_version,
        "promoted",
        by=current_user(),
        why=REASON,
        comparison=comparison.as_dict(),
    )
    return None
