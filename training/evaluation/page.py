"""Show an evaluation as one page that needs neither network nor scripts; texts of the data set stand in it.

So it is kept with the run and never becomes part of the artifact, which goes into an image.
"""

from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from training.calibration import BINS, Bin
from training.evaluation.evaluate import Evaluation, Interval

PAGE = "evaluation.html"
_LONGEST_TEXT = 1_200
_SIDE = 320

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
        "": _figures(evaluation),
        "Is it as sure as it is right?": _calibration(evaluation),
        "What it takes for what": _confusion(evaluation),
        "Where it is right": _slices(evaluation),
        "What changes its mind": _changes(evaluation),
        "Surest of what was wrong": _worst(evaluation),
        "What it is": _facts(evaluation),
    }
    parts = [f"<h1>{escape(card['model_version'])}</h1>"]
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


def _figures(evaluation: Evaluation) -> str:
    card = evaluation.card
    fp32, int8 = (card["metrics"][name]["accuracy"] for name in ("fp32", "int8"))
    return (
        f"<p>{evaluation.rows:,} held-out rows of {escape(card['data']['name'])}, answered by the int8 graph "
        f"as served, at {card['max_length']} tokens. Intervals are a bootstrap over the rows.</p>"
        + _table(
            ("", "int8", "95%"),
            [
                (one.name, _number(one.name, one.value), _span(one.name, one.interval))
                for one in evaluation.figures
            ],
        )
        + f"<p>Accuracy in fp32 {fp32:.1%}, in int8 {int8:.1%}; int8 decides "
        f"{card['metrics']['flipped']:.1%} of the rows otherwise.</p>"
    )


def _calibration(evaluation: Evaluation) -> str:
    said = "On the line, confidence is accuracy; a circle's area is its share of the rows."
    if fitted := evaluation.card.get("calibration"):
        before, after = fitted["ece"]["before"], fitted["ece"]["after"]
        said = (
            f"Logits are divided by {fitted['temperature']:g}, fitted on validation rows, where it took the "
            f"calibration error from {before:.1%} to {after:.1%}. {said}"
        )
    return f"<p>{said}</p>{_reliability_plot(evaluation.reliability)}"


def _confusion(evaluation: Evaluation) -> str:
    labels = evaluation.card["labels"]
    rows = [
        (label, *(f"{count:,}" for count in row))
        for label, row in zip(labels, evaluation.confusion, strict=True)
    ]
    return _table(("is", *(f"said {label}" for label in labels)), rows)


def _slices(evaluation: Evaluation) -> str:
    return _table(
        ("", "", "rows", "accuracy", "95%"),
        [
            (one.kind, one.name, f"{one.rows:,}", f"{one.accuracy:.1%}", _percents(one.interval))
            for one in evaluation.slices
        ],
    )


def _changes(evaluation: Evaluation) -> str:
    rows = [
        (
            one.name,
            f"{one.rows:,}",
            f"{one.before:.1%}",
            f"{one.accuracy:.1%}",
            _percents(one.interval),
            f"{one.changed:.1%}",
        )
        for one in evaluation.changes
    ]
    return (
        f"<p>The first are changes of {evaluation.changes[0].rows:,} held-out rows that should change no "
        "answer. A negated sentence should turn it.</p>"
        + _table(("", "rows", "accuracy before", "after", "95%", "answers changed"), rows)
    )


def _worst(evaluation: Evaluation) -> str:
    return "".join(
        f"<p>{one.confidence:.1%} sure that it is {escape(one.said)}; labelled {escape(one.label)}</p>"
        f"<blockquote>{escape(_cut(one.text))}</blockquote>"
        for one in evaluation.worst
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    figures = [all(row[place][:1].isdigit() for row in rows) for place in range(len(head))]

    def cells(kind: str, values: Sequence[str]) -> str:
        return "".join(
            f"<{kind}{' class=number' if is_figure else ''}>{escape(value)}</{kind}>"
            for value, is_figure in zip(values, figures, strict=True)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f'<div class="scroll"><table><tr>{cells("th", head)}</tr>{body}</table></div>'


def _reliability_plot(bins: Sequence[Bin]) -> str:
    """Draw accuracy over confidence; both from 0 to 1."""
    total = sum(one.rows for one in bins)
    ticks = "".join(
        f'<text x="{_SIDE * tick}" y="{_SIDE + 16}" text-anchor="middle">{tick:.0%}</text>'
        f'<text x="-6" y="{_SIDE * (1 - tick) + 4}" text-anchor="end">{tick:.0%}</text>'
        f'<path d="M0 {_SIDE * (1 - tick)}H{_SIDE}" stroke="var(--line)" stroke-width=".5"/>'
        for tick in (0, 0.25, 0.5, 0.75, 1)
    )
    circles = "".join(
        f'<circle cx="{_SIDE * one.confidence:.1f}" cy="{_SIDE * (1 - one.accuracy):.1f}" '
        f'r="{3 + 30 * float(np.sqrt(one.rows / total)):.1f}" fill="var(--soft)" stroke="var(--mark)">'
        f"<title>{one.rows:,} rows, {one.confidence:.1%} sure, {one.accuracy:.1%} right</title></circle>"
        for one in bins
    )
    return (
        f'<svg viewBox="-44 -36 {_SIDE + 84} {_SIDE + 76}" width="{_SIDE + 84}" role="img" '
        f'aria-label="accuracy over confidence, in {BINS} bins">{ticks}'
        f'<path d="M0 {_SIDE}L{_SIDE} 0" stroke="currentColor" stroke-dasharray="4 4"/>{circles}'
        f'<text x="{_SIDE / 2}" y="{_SIDE + 34}" text-anchor="middle">confidence</text>'
        f'<text x="-40" y="-12">accuracy</text></svg>'
    )


def _facts(evaluation: Evaluation) -> str:
    card = evaluation.card
    facts = {
        "base model": card.get("base_model"),
        "layers and width": f"{card['architecture']['layers']}, {card['architecture']['width']}",
        "trained on": f"{card['data']['rows']['train']:,} rows; fingerprint {card['data']['fingerprint']}",
        "left out": ", ".join(f"{count:,} {why}" for why, count in card["data"]["dropped"].items()) or "none",
        "quantization": card["export"]["chosen"],
        "MLflow run": card.get("mlflow_run_id"),
        "commit": card.get("git_commit"),
        "made": card["created_at"],
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
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"
