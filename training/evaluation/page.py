"""Write an evaluation as one HTML page that needs neither network nor scripts.

It quotes texts of the data set, so it is kept with the run and is not part of the artifact.
"""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from training.calibration import BINS, Bin
from training.evaluation.evaluate import Evaluation, Interval
from training.evaluation.labels import missed_labels, precision_and_recall

PAGE = "evaluation.html"
BASELINES = {
    "majority": "most frequent label",
    "wide": "wide part alone",
    "deep": "deep part alone, fp32",
}
_MAX_CHARACTERS = 1_200
_PLOT_SIDE = 320

_STYLE = """
:root { color-scheme: light dark; --line: #8885; --mark: #2f6fde; --soft: #2f6fde33 }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem }
h1 { line-height: 1.2 } h2 { margin-top: 2.5rem } .note { opacity: .75 }
.scroll { overflow-x: auto } table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line) }
td.number, th.number { text-align: right } blockquote { margin: 0 0 1.5rem; padding-left: 1rem;
border-left: 3px solid var(--line); overflow-wrap: anywhere } svg { max-width: 100%; height: auto }
svg text { fill: currentColor; font-size: 12px } dt { font-weight: 600 } dd { margin: 0 0 .5rem }
"""


def write_page(evaluation: Evaluation, path: Path) -> Path:
    """Write the page; return its path."""
    card = evaluation.card
    sections = {
        "": _metrics(evaluation),
        "Calibration": _calibration(evaluation),
        "Confusion matrix": _confusion(evaluation),
        "Accuracy by slice": _slices(evaluation),
        "Robustness": _robustness(evaluation),
        "Most confident mistakes": _mistakes(evaluation),
        "Model": _facts(evaluation),
    }
    parts = [f"<h1>{escape(card['model_version'])}</h1>", _verdict(card)]
    parts += [(f"<h2>{title}</h2>" if title else "") + content for title, content in sections.items()]
    page = (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(card['model_version'])}: evaluation</title><style>{_STYLE}</style>\n"
        + "\n".join(parts)
        + "\n</html>\n"
    )
    unfinished = path.with_name(f".{path.name}")
    unfinished.write_text(page, encoding="utf-8")
    return unfinished.replace(path)


def _metrics(evaluation: Evaluation) -> str:
    card = evaluation.card
    fp32, int8 = (card["metrics"][name]["accuracy"] for name in ("fp32", "int8"))
    return (
        f"<p>{evaluation.rows:,} held-out rows of {escape(card['data']['name'])}, predicted by the int8 "
        f"graph as served, at {card['max_length']} tokens. Intervals are from a bootstrap over the rows.</p>"
        + _table(
            ("", "int8", "95%"),
            [
                (one.name, _number(one.name, one.value), _span(one.name, one.interval))
                for one in evaluation.metrics
            ],
        )
        + f"<p>Accuracy in fp32 {fp32:.1%}, in int8 {int8:.1%}; int8 flips "
        f"{card['metrics']['flipped']:.1%} of the decisions.</p>" + _baselines(card)
    )


def _baselines(card: dict[str, Any]) -> str:
    """Compare with what is cheaper; cards of older exports have no baselines."""
    baselines = card["metrics"].get("baselines", {})
    rows = [
        (
            BASELINES[name],
            f"{one['accuracy']:.1%}",
            f"{100 * one['gain']:+.1f} points",
            f"{100 * one['gain_ci95'][0]:+.1f} to {100 * one['gain_ci95'][1]:+.1f}",
        )
        for name, one in baselines.items()
    ]
    head = ("on the same rows", "accuracy", "gain of this model", "95%, paired")
    return _table(head, rows) if rows else ""


def _verdict(card: dict[str, Any]) -> str:
    """Warn of labels that are mostly missed, and if the transformer is not worth its cost on these rows."""
    return _missed_labels(card) + _transformer(card)


def _missed_labels(card: dict[str, Any]) -> str:
    missed = missed_labels(card["labels"], card["metrics"].get("confusion", []))
    if not missed:
        return ""
    names = escape(", ".join(missed))
    return f"<p><strong>The model finds less than half of the rows labeled {names}.</strong></p>"


def _transformer(card: dict[str, Any]) -> str:
    alone = card["metrics"].get("baselines", {}).get("wide")
    if alone is None or alone["gain_ci95"][0] > 0:
        return ""
    return (
        f"<p><strong>The transformer adds nothing that {card['metrics']['rows']:,} rows can show: the wide "
        f"part alone reaches {alone['accuracy']:.1%}.</strong></p>"
    )


def _calibration(evaluation: Evaluation) -> str:
    note = "On the diagonal, confidence equals accuracy; the area of a circle is its share of the rows."
    if fitted := evaluation.card.get("calibration"):
        before, after = fitted["ece"]["before"], fitted["ece"]["after"]
        note = (
            f"The logits are divided by the temperature {fitted['temperature']:g}, fitted on the validation "
            f"rows. This changed the calibration error from {before:.1%} to {after:.1%}. {note}"
        )
    return f"<p>{note}</p>{_reliability_plot(evaluation.reliability)}"


def _confusion(evaluation: Evaluation) -> str:
    labels = evaluation.card["labels"]
    by_label = precision_and_recall(evaluation.confusion.tolist())
    rows = [
        (label, *(f"{count:,}" for count in row), *("-" if one is None else f"{one:.1%}" for one in found))
        for label, row, found in zip(labels, evaluation.confusion, by_label, strict=True)
    ]
    return _table(("label", *(f"predicted {label}" for label in labels), "precision", "recall"), rows)


def _slices(evaluation: Evaluation) -> str:
    return _table(
        ("", "", "rows", "accuracy", "95%"),
        [
            (one.kind, one.name, f"{one.rows:,}", f"{one.accuracy:.1%}", _percents(one.interval))
            for one in evaluation.slices
        ],
    )


def _robustness(evaluation: Evaluation) -> str:
    rows = [
        (
            one.name,
            f"{one.rows:,}",
            f"{one.before:.1%}",
            f"{one.accuracy:.1%}",
            _percents(one.interval),
            f"{one.changed:.1%}",
        )
        for one in evaluation.robustness
    ]
    return (
        f"<p>The first perturb {evaluation.robustness[0].rows:,} held-out rows and should change no "
        "prediction. A negated sentence should flip it.</p>"
        + _table(("", "rows", "accuracy before", "after", "95%", "predictions changed"), rows)
    )


def _mistakes(evaluation: Evaluation) -> str:
    return "".join(
        f"<p>predicted {escape(one.predicted)} with {one.confidence:.1%} confidence; "
        f"labeled {escape(one.label)}</p>"
        f"<blockquote>{escape(_cut(one.text))}</blockquote>"
        for one in evaluation.mistakes
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    numeric = [all(row[column][:1].isdigit() for row in rows) for column in range(len(head))]

    def cells(kind: str, values: Sequence[str]) -> str:
        return "".join(
            f"<{kind}{' class=number' if is_number else ''}>{escape(value)}</{kind}>"
            for value, is_number in zip(values, numeric, strict=True)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f'<div class="scroll"><table><tr>{cells("th", head)}</tr>{body}</table></div>'


def _reliability_plot(bins: Sequence[Bin]) -> str:
    """Draw accuracy against confidence, both from 0 to 1."""
    total = sum(one.rows for one in bins)
    ticks = "".join(
        f'<text x="{_PLOT_SIDE * tick}" y="{_PLOT_SIDE + 16}" text-anchor="middle">{tick:.0%}</text>'
        f'<text x="-6" y="{_PLOT_SIDE * (1 - tick) + 4}" text-anchor="end">{tick:.0%}</text>'
        f'<path d="M0 {_PLOT_SIDE * (1 - tick)}H{_PLOT_SIDE}" stroke="var(--line)" stroke-width=".5"/>'
        for tick in (0, 0.25, 0.5, 0.75, 1)
    )
    circles = "".join(
        f'<circle cx="{_PLOT_SIDE * one.confidence:.1f}" cy="{_PLOT_SIDE * (1 - one.accuracy):.1f}" '
        f'r="{3 + 30 * float(np.sqrt(one.rows / total)):.1f}" fill="var(--soft)" stroke="var(--mark)">'
        f"<title>{one.rows:,} rows, confidence {one.confidence:.1%}, accuracy {one.accuracy:.1%}"
        "</title></circle>"
        for one in bins
    )
    return (
        f'<svg viewBox="-44 -36 {_PLOT_SIDE + 84} {_PLOT_SIDE + 76}" width="{_PLOT_SIDE + 84}" role="img" '
        f'aria-label="accuracy against confidence, in {BINS} bins">{ticks}'
        f'<path d="M0 {_PLOT_SIDE}L{_PLOT_SIDE} 0" stroke="currentColor" stroke-dasharray="4 4"/>{circles}'
        f'<text x="{_PLOT_SIDE / 2}" y="{_PLOT_SIDE + 34}" text-anchor="middle">confidence</text>'
        f'<text x="-40" y="-12">accuracy</text></svg>'
    )


def _facts(evaluation: Evaluation) -> str:
    card = evaluation.card
    facts = {
        "base model": card.get("base_model"),
        "layers and width": f"{card['architecture']['layers']}, {card['architecture']['width']}",
        "trained on": f"{card['data']['rows']['train']:,} rows; fingerprint {card['data']['fingerprint']}",
        "dropped": ", ".join(f"{count:,} {reason}" for reason, count in card["data"]["dropped"].items())
        or "none",
        "quantization": card["export"]["chosen"],
        "MLflow run": card.get("mlflow_run_id"),
        "commit": card.get("git_commit"),
        "created": card["created_at"],
    }
    items = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(str(value or 'not recorded'))}</dd>"
        for name, value in facts.items()
    )
    return f"<dl>{items}</dl>"


def _number(name: str, value: float) -> str:
    return f"{value:.3f}" if name in ("ROC AUC", "Brier score") else f"{value:.1%}"


def _span(name: str, interval: Interval) -> str:
    return " to ".join(_number(name, end) for end in interval)


def _percents(interval: Interval) -> str:
    return f"{interval[0]:.1%} to {interval[1]:.1%}"


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_CHARACTERS else f"{text[:_MAX_CHARACTERS]}…"
