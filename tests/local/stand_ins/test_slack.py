"""The stand-in for Slack: a webhook that receives messages, and their view in the terminal."""

import io
import json
from pathlib import Path

import httpx
from rich.console import Console

from functions.slack_notifier.blocks import build_message
from functions.slack_notifier.notification import parse_notification
from local.stand_ins.slack import render_message, running_slack

SNS = json.loads((Path(__file__).parents[3] / "events" / "sns_data_drift.json").read_text())["Records"][0][
    "Sns"
]


def shown(message: dict[str, object]) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(render_message(message))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_the_webhook_responds_as_slack_does_and_keeps_the_messages() -> None:
    with running_slack() as slack:
        for number in range(3):
            response = httpx.post(slack.url, json={"text": f"message {number}"})
            assert (response.status_code, response.text) == (200, "ok")
        assert [message["text"] for message in slack.received] == ["message 0", "message 1", "message 2"]


def test_an_alert_is_shown_completely_and_without_markup() -> None:
    screen = shown(build_message(parse_notification(SNS)))
    title, *lines = filter(None, (part.strip() for part in SNS["Message"].splitlines()))
    assert title == f"{SNS['Subject']}.", "shown once, as the subject"
    for line in lines:
        assert line.split()[-1] in screen
    assert SNS["Subject"] in screen
    assert "&gt;" not in screen and ":warning:" not in screen and "<http" not in screen


def test_links_and_bold_text_are_rendered() -> None:
    blocks = [
        {
            "type": "section",
            "text": {"type": "mrkdwn", "text": "*Report*: <https://example.com/a|the page>"},
        },
        {"type": "divider"},
        {"type": "actions", "elements": [{"type": "button", "text": {"type": "plain_text", "text": "Open"}}]},
        {"type": "image"},
    ]
    screen = shown({"attachments": [{"color": "#DAA038", "blocks": blocks}]})
    assert "Report: the page" in screen
    assert "[ Open ]" in screen
    assert "(image)" in screen, "an unsupported block is named"
