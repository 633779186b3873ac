"""A stand-in for Slack: an incoming webhook, and its messages as the terminal can show them."""

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from rich.console import Group, RenderableType
from rich.emoji import Emoji
from rich.panel import Panel
from rich.text import Text

from local.processes import HOST

LINK = re.compile(r"<(https?://[^|>]+)(?:\|([^>]*))?>")
BOLD = re.compile(r"(?<!\w)\*([^*\n]+)\*(?!\w)")


@dataclass(frozen=True)
class SlackWebhook:
    """The URL of the webhook, and the messages that it received, in order."""

    url: str
    received: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def running_slack() -> Iterator[SlackWebhook]:
    """Run the webhook on a free port while the block runs."""
    received: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, name="slack", daemon=True)
    thread.start()
    try:
        yield SlackWebhook(f"http://{HOST}:{server.server_port}/services/demo", received)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def render_message(message: Mapping[str, Any]) -> RenderableType:
    """Return a Block Kit message for the terminal."""
    attachments = message.get("attachments") or [{"color": None, "blocks": message.get("blocks", [])}]
    parts = [part for attachment in attachments for block in attachment["blocks"] for part in _render(block)]
    return Panel(Group(*parts), title="Slack", border_style=attachments[0].get("color") or "white")


def _render(block: Mapping[str, Any]) -> Iterator[RenderableType]:
    match block["type"]:
        case "header":
            yield Text(_plain(block["text"]["text"]), style="bold")
        case "section":
            for text in [block.get("text"), *block.get("fields", [])]:
                if text:
                    yield _markdown(text["text"])
        case "context":
            yield _markdown(" ".join(element["text"] for element in block["elements"]), style="dim")
        case "actions":
            labels = [f"[ {element['text']['text']} ]" for element in block["elements"]]
            yield Text(_plain(" ".join(labels)), style="cyan")
        case "divider":
            yield Text("─" * 20, style="dim")
        case other:
            yield Text(f"({other})", style="dim")


def _markdown(text: str, style: str = "") -> Text:
    plain = LINK.sub(lambda link: link[2] or link[1], text)
    shown = Text(style=style)
    for number, part in enumerate(BOLD.split(_plain(plain))):
        shown.append(part, style="bold" if number % 2 else "")  # every second part was between asterisks
    return shown


def _plain(text: str) -> str:
    return unescape(Emoji.replace(text))
