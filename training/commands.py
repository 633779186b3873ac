"""Run `train`, `search` and `evaluate` with the options of `training.options`; return the lines to print.

`sentiment` and `python -m training` both call these. Reading the command line is up to them.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from training.config import configure
from training.data.prepare import prepare
from training.evaluation.labels import missed_labels, precision_and_recall
from training.options import PLAN
from training.pipeline import run, summary
from training.progress import Progress

if TYPE_CHECKING:
    from pathlib import Path

    from training.export.artifact import Artifact


_SHOWN_LABELS = 8


def train(options: Mapping[str, Any], progress: Progress) -> list[str]:
    """Train, export, publish and register a model."""
    given = with_found_parameters(options)
    config = configure(**given)
    return published(run(config, progress), config.artifacts)


def with_found_parameters(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options with the parameters of a search in place of its file."""
    given = dict(options)
    file = given.get("parameters")
    if file is not None:
        from training.search.space import read_best

        given["parameters"] = read_best(file, given["model"] or "embedded")
    return given


def published(artifact: "Artifact", artifacts: "Path") -> list[str]:
    """Describe a published model: its folder, its accuracy, and whether it serves."""
    from training.export.artifact import champion_of

    metrics, version = artifact.card["metrics"], artifact.card["model_version"]
    lines = [
        f"{artifact.folder}",
        f"accuracy on {metrics['rows']:,} held-out rows: int8 {metrics['int8']['accuracy']:.1%}, "
        f"fp32 {metrics['fp32']['accuracy']:.1%}; decisions flipped: {metrics['flipped']:.1%}",
        *baselines(artifact.card),
        *by_label(artifact.card),
    ]
    if (champion := champion_of(artifacts)) != version:
        lines.append(f"candidate: {champion} keeps serving until `sentiment promote` has compared the two")
    if missed := missed_labels(artifact.card["labels"], metrics.get("confusion", [])):
        lines.append(
            f"warning: the model finds less than half of the rows labeled {', '.join(missed)}; add rows of "
            f"{'this label' if len(missed) == 1 else 'these labels'}, or weight their source"
        )
    return lines


def by_label(card: Mapping[str, Any]) -> list[str]:
    """Describe precision and recall by label; of many labels, those with the lowest recall.

    Cards of older exports have no confusion matrix.
    """
    if "confusion" not in card["metrics"]:
        return []
    found = zip(card["labels"], precision_and_recall(card["metrics"]["confusion"]), strict=True)
    rows = [(label, precision, recall) for label, (precision, recall) in found if recall is not None]
    lowest = sorted(rows, key=lambda row: row[2])[:_SHOWN_LABELS]
    kept = [row for row in rows if row in lowest]
    return [
        "precision and recall: "
        + "; ".join(
            f"{label} {'none predicted' if precision is None else f'{precision:.1%}'}, {recall:.1%}"
            for label, precision, recall in kept
        )
        + (f"; {len(rows) - len(kept)} more labels with higher recall" if len(rows) > len(kept) else "")
    ]


def baselines(card: Mapping[str, Any]) -> list[str]:
    """Describe in a line what cheaper models reach on the same rows; none for cards of older exports."""
    found = card["metrics"].get("baselines", {})
    parts = [
        f"{name} {one['accuracy']:.1%} (the model gains {100 * one['gain']:.1f} points, 95% "
        f"{100 * one['gain_ci95'][0]:.1f} to {100 * one['gain_ci95'][1]:.1f})"
        for name, one in found.items()
    ]
    return [f"alone on the same rows: {'; '.join(parts)}"] if parts else []


def search(options: Mapping[str, Any], progress: Progress) -> list[str]:
    """Search the parameters to train with."""
    from training.search.search import given_options, study_folder
    from training.search.search import search as search_parameters
    from training.search.trials import SearchPlan, format_parameters

    given = dict(options)
    folder = given.pop("study")
    how = {option.name: given.pop(option.name) for option in PLAN}
    plan = SearchPlan(**how, fixed=frozenset(given_options(given)))
    config = configure(**given)
    progress("Reading the data")
    data = prepare(config)
    progress(f"Read {summary(data)}")
    from training.search.report import PAGE
    from training.search.space import BEST

    folder = folder or study_folder(config, data, plan)
    best = search_parameters(config, data, folder, plan, progress=progress)
    counts = ", ".join(f"{count} {state}" for state, count in best["trials"].items())
    return [
        f"{folder / BEST}",
        f"{folder / PAGE}",
        f"validation accuracy {best['value']:.1%} with {format_parameters(best['parameters'])} "
        f"(trials: {counts})",
    ]


def evaluate(options: Mapping[str, Any], progress: Progress) -> list[str]:
    """Measure a published model on its held-out rows."""
    from training.evaluation.evaluate import evaluate as evaluate_model
    from training.evaluation.page import write_page
    from training.evaluation.served import ServedModel, read_artifact

    progress("Evaluating")
    found = evaluate_model(ServedModel(read_artifact(options["model"].resolve()), progress))
    page = write_page(found, options["page"])
    metrics = [
        f"{one.name} {one.value:.4g} ({one.interval[0]:.4g} to {one.interval[1]:.4g})"
        for one in found.metrics
    ]
    robustness = [
        f"{one.name}: accuracy {one.accuracy:.1%}, changed {one.changed:.1%}" for one in found.robustness
    ]
    return [f"{page}", *metrics, *baselines(found.card), *robustness]
