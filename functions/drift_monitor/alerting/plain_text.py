"""Wraps plain text for mail, whose readers see lines as they were sent."""

from textwrap import wrap

COLUMNS = 76
NAME_COLUMNS = 14  # of a fact


def paragraph(text: str, indent: int = 0) -> list[str]:
    """Return the text in lines; links and ids are never broken."""
    return _lines(text, " " * indent, " " * indent)


def bullet(text: str) -> list[str]:
    """Return the text in lines, as a list item."""
    return _lines(text, "- ", "  ")


def fact(name: str, text: str) -> list[str]:
    """Return a name and its value side by side; no lines for an empty value."""
    return _lines(text, f"{name:<{NAME_COLUMNS}}", " " * NAME_COLUMNS) if text else []


def _lines(text: str, first: str, others: str) -> list[str]:
    return wrap(
        text,
        COLUMNS,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )
