"""Builds a Slack message from a notification: blocks with a colored bar, and plain text for previews.

Markup is escaped and automatic parsing is off, so that a text cannot mention people or channels. The limits
are those of Slack's Block Kit reference.
"""

import re
from typing import Any

from functions.slack_notifier.notification import Notification, Style

STYLES: dict[Style, tuple[str, str]] = {  # emoji, color of the bar
    "info": (":information_source:", "#439FE0"),
    "warning": (":warning:", "#DAA038"),
    "critical": (":rotating_light:", "#A30200"),
    "escalated": (":arrow_double_up:", "#A30200"),
    "resolved": (":white_check_mark:", "#2EB886"),
}
HEADER_LIMIT = 150
SECTION_LIMIT = 3000
MAX_SECTIONS = 4
SHORTENED = "… (shortened)"
URL = re.compile(r"https?://[^\s<>|]+[^\s<>|.,;:)]")


def build_message(notification: Notification) -> dict[str, Any]:
    """Return the JSON body for an incoming webhook."""
    emoji, color = STYLES[notification.style]
    title = f"{emoji} {' '.join(notification.title.split())}"
    blocks: list[dict[str, Any]] = [
        {
            "type": "header",
            "text": {"type": "plain_text", "text": _truncate(title, HEADER_LIMIT), "emoji": True},
        }
    ]
    blocks += [{"type": "section", "text": _markdown(part)} for part in _sections(_escape(notification.text))]
    if notification.context:
        small = _truncate(_escape(" · ".join(notification.context)), SECTION_LIMIT)
        blocks.append({"type": "context", "elements": [_markdown(small)]})
    return {
        "text": _escape(_truncate(title, SECTION_LIMIT)),
        "attachments": [{"color": color, "blocks": blocks}],
    }


def _sections(text: str) -> list[str]:
    """Split at line ends into as few sections as possible; mark a text that does not fit."""
    sections: list[str] = []
    for line in text.strip().splitlines():
        piece = _truncate(line, SECTION_LIMIT)
        if sections and len(sections[-1]) + len(piece) < SECTION_LIMIT:
            sections[-1] += "\n" + piece
        elif len(sections) == MAX_SECTIONS:
            sections[-1] = sections[-1][: SECTION_LIMIT - len(SHORTENED) - 1] + "\n" + SHORTENED
            break
        else:
            sections.append(piece)
    return [section for section in sections if section.strip()]


def _markdown(text: str) -> dict[str, Any]:
    # Verbatim keeps @here and #channel from becoming mentions, but also URLs from becoming links.
    return {"type": "mrkdwn", "text": _link(text), "verbatim": True}


def _link(text: str) -> str:
    linked = URL.sub(lambda url: f"<{url[0]}>", text)
    return linked if len(linked) <= SECTION_LIMIT else text


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _truncate(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
