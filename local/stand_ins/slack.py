"""A stand-in for Slack: takes what is posted to an incoming webhook, and shows it much as Slack would."""

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
class Slack:
    """Where the webhook is, and the messages that it took, in order."""

    url: str
    posted: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def running_slack() -> Iterator[Slack]:
    """Take messages for the length of the block, on a port that is free."""
    posted: list[dict[str, Any]] = []

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: what was posted is shown."""

    server = ThreadingHTTPServer((HOST, 0), Webhook)
    thread = threading.Thread(target=server.serve_forever, name="slack", daemon=True)
    thread.start()
    try:
        yield Slack(f"http://{HOST}:{server.server_port}/services/demo", posted)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def show_message(message: Mapping[str, Any]) -> RenderableType:
    """Return a message of Block Kit as a terminal can show it."""
    attachments = message.get("attachments") or [{"color": None, "blocks": message.get("blocks", [])}]
    parts = [part for frame in attachments for block in frame["blocks"] for part in _show(block)]
    return Panel(Group(*parts), title="Slack", border_style=attachments[0].get("color") or "white")


def _show(block: Mapping[str, Any]) -> Iterator[RenderableType]:
    match block["type"]:
        case "header":
            yield Text(_words(block["text"]["text"]), style="bold")
        case "section":
            for text in [block.get("text"), *block.get("fields", [])]:
                if text:
                    yield _markdown(text["text"])
        case "context":
            yield _markdown(" ".join(element["text"] for element in block["elements"]), style="dim")
        case "actions":
            labels = [f"[ {element['text']['text']} ]" for element in block["elements"]]
            yield Text(_words(" ".join(labels)), style="cyan")
        case "divider":
            yield Text("─" * 20, style="dim")
        case other:
            yield Text(f"({other})", style="dim")


def _markdown(text: str, style: str = "") -> Text:
    plain = LINK.sub(lambda link: link[2] or link[1], text)
    shown = Text(style=style)
    for number, part in enumerate(BOLD.split(_words(plain))):
        shown.append(part, style="bold" if number % 2 else "")  # every other part stood between stars
    return shown


def _words(text: str) -> str:
    return unescape(Emoji.replace(text))
