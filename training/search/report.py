"""Write the report of a study: history, parameter importance and slices, as PNG files and one HTML page."""

import base64
import html
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

PAGE = "study.html"

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
img { max-width: 100%; height: auto } table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .25rem .75rem; border-bottom: 1px solid #d8dbe2 }
.best { font-weight: 600 } .scroll { overflow-x: auto }
"""


def write_report(study: optuna.Study, folder: Path, best: dict[str, Any]) -> list[Path]:
    """Write the plots and the page into `folder`; return the files.

    Plots that the study is too small for are left out, and the page says so.
    """
    plots_drawn, missing = [], []
    for name, (title, draw) in _plots(study).items():
        path = folder / f"{name}.png"
        try:
            _save(draw, path)
        except (ValueError, RuntimeError, ZeroDivisionError) as error:
            missing.append(f"{title}: {error}")
        else:
            plots_drawn.append((title, path))
    page = folder / PAGE
    page.write_text(_page(study, best, plots_drawn, missing), encoding="utf-8")
    return [page, *(path for _, path in plots_drawn)]


def _plots(study: optuna.Study) -> dict[str, tuple[str, Callable[[], Any]]]:
    from optuna.visualization import matplotlib as plots

    def accuracy(trial: optuna.trial.FrozenTrial) -> float:
        return float(trial.values[0])

    def importance() -> Any:
        if len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))) < 2:
            raise ValueError("it needs two complete trials")
        return plots.plot_param_importances(study, **of_accuracy)

    of_accuracy: dict[str, Any] = {"target": accuracy, "target_name": "validation accuracy"}
    drawn: dict[str, tuple[str, Callable[[], Any]]] = {
        "history": ("History", lambda: plots.plot_optimization_history(study, **of_accuracy)),
        "importance": ("Parameter importance", importance),
        "slice": ("Slices", lambda: plots.plot_slice(study, **of_accuracy)),
    }
    if len(study.directions) > 1:
        names = ["validation accuracy", "latency, ms"]
        drawn["front"] = (
            "Pareto front",
            lambda: plots.plot_pareto_front(study, target_names=names),
        )
    return drawn


def _save(draw: Callable[[], Any], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # these plots are experimental, and a single point has no width
        draw()
        pyplot.gcf().savefig(path, dpi=110, bbox_inches="tight")
    pyplot.close("all")


def _page(
    study: optuna.Study, best: dict[str, Any], plots_drawn: list[tuple[str, Path]], missing: list[str]
) -> str:
    trials = [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]
    names = list(best["parameters"])
    rows = "".join(
        f"<tr{' class=best' if trial.number == best['trial'] else ''}><td>{trial.number}</td>"
        f"<td>{trial.state.name.lower()}</td><td>{_values(trial)}</td>"
        + "".join(f"<td>{_shown(trial.params.get(name))}</td>" for name in names)
        + "</tr>"
        for trial in trials
    )
    head = "".join(f"<th>{html.escape(name)}</th>" for name in ("trial", "ended", "value", *names))
    images = "".join(
        f'<h2>{html.escape(title)}</h2><img alt="{html.escape(title)}" src="data:image/png;base64,'
        f'{base64.b64encode(path.read_bytes()).decode()}">'
        for title, path in plots_drawn
    )
    left_out = "".join(f"<p>Not available: {html.escape(line)}</p>" for line in missing)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Search</title><style>{_STYLE}</style>'
        f"<h1>{best['value']:.1%} validation accuracy</h1><p>Trial {best['trial']} of {len(trials)}, by "
        f"{html.escape(best.get('chosen_by', 'the highest accuracy'))}.</p>{images}{left_out}"
        f'<h2>Trials</h2><div class="scroll"><table><tr>{head}</tr>{rows}</table></div></html>\n'
    )


def _values(trial: optuna.trial.FrozenTrial) -> str:
    if trial.state != TrialState.COMPLETE:
        return ""
    return " · ".join([f"{trial.values[0]:.1%}", *(f"{latency:.1f} ms" for latency in trial.values[1:])])


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else html.escape(str("" if value is None else value))
