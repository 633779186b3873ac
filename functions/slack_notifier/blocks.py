"""Turns a notice into a Slack message: blocks in a coloured frame, and plain text for notifications.

Slack parses what it is given, so nothing of a notice can mention people or channels: markup is escaped and
automatic parsing is off. Limits are those of Slack's Block Kit reference.
"""

import re
from typing import Any

from functions.slack_notifier.notification import Mood, Notice

LOOKS: dict[Mood, tuple[str, str]] = {  # emoji, colour of the frame
    "info": (":information_source:", "#439FE0"),
    "warning": (":warning:", "#DAA038"),
    "critical": (":rotating_light:", "#A30200"),
    "escalated": (":arrow_double_up:", "#A30200"),
    "resolved": (":white_check_mark:", "#2EB886"),
}
HEADER_LIMIT = 150
SECTION_LIMIT = 3000
MOST_SECTIONS = 4
SHORTENED = "… (shortened)"
URL = re.compile(r"https?://[^\s<>|]+[^\s<>|.,;:)]")


def message_of(notice: Notice) -> dict[str, Any]:
    """Return the JSON that an incoming webhook takes."""
    emoji, colour = LOOKS[notice.mood]
    title = f"{emoji} {' '.join(notice.title.split())}"
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": _fit(title, HEADER_LIMIT), "emoji": True}}
    ]
    blocks += [{"type": "section", "text": _markdown(part)} for part in _sections(_escape(notice.text))]
    if notice.context:
        small = _fit(_escape(" · ".join(notice.context)), SECTION_LIMIT)
        blocks.append({"type": "context", "elements": [_markdown(small)]})
    return {"text": _escape(_fit(title, SECTION_LIMIT)), "attachments": [{"color": colour, "blocks": blocks}]}


def _sections(text: str) -> list[str]:
    """Cut at line ends into as few sections as fit, and say so when not all does."""
    sections: list[str] = []
    for line in text.strip().splitlines():
        piece = _fit(line, SECTION_LIMIT)
        if sections and len(sections[-1]) + len(piece) < SECTION_LIMIT:
            sections[-1] += "\n" + piece
        elif len(sections) == MOST_SECTIONS:
            sections[-1] = sections[-1][: SECTION_LIMIT - len(SHORTENED) - 1] + "\n" + SHORTENED
            break
        else:
            sections.append(piece)
    return [section for section in sections if section.strip()]


def _markdown(text: str) -> dict[str, Any]:
    # Verbatim switches off that @here or #channel in a text become mentions; so links are ours to mark.
    return {"type": "mrkdwn", "text": _link(text), "verbatim": True}


def _link(text: str) -> str:
    linked = URL.sub(lambda url: f"<{url[0]}>", text)
    return linked if len(linked) <= SECTION_LIMIT else text


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _fit(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
