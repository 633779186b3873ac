"""Lays plain text out for mail, where nobody but the reader's window wraps lines."""

from textwrap import wrap

COLUMNS = 76
LABEL = 14  # columns of a fact's name


def paragraph(text: str, indent: int = 0) -> list[str]:
    """Return the text in lines; links and ids stay whole, however long."""
    return _lines(text, " " * indent, " " * indent)


def bullet(text: str) -> list[str]:
    """Return the text in lines, as an item of a list."""
    return _lines(text, "- ", "  ")


def fact(name: str, text: str) -> list[str]:
    """Return a name and what it stands for, side by side; nothing when there is nothing to say."""
    return _lines(text, f"{name:<{LABEL}}", " " * LABEL) if text else []


def _lines(text: str, first: str, others: str) -> list[str]:
    return wrap(
        text,
        COLUMNS,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )
