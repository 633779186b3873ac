"""The stand-in for Slack: it takes what the notifier posts, and a terminal shows all of it."""

import io
import json
from pathlib import Path

import httpx
from rich.console import Console

from functions.slack_notifier.blocks import build_message
from functions.slack_notifier.notification import parse_notification
from local.stand_ins.slack import running_slack, show_message

SNS = json.loads((Path(__file__).parents[3] / "events" / "sns_data_drift.json").read_text())["Records"][0][
    "Sns"
]


def shown(message: dict[str, object]) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(show_message(message))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_the_webhook_answers_as_slack_does_and_keeps_what_it_got() -> None:
    with running_slack() as slack:
        for number in range(3):
            answer = httpx.post(slack.url, json={"text": f"message {number}"})
            assert (answer.status_code, answer.text) == (200, "ok")
        assert [message["text"] for message in slack.posted] == ["message 0", "message 1", "message 2"]


def test_all_words_of_an_alert_are_shown_and_none_of_its_markup() -> None:
    page = shown(build_message(parse_notification(SNS)))
    title, *lines = filter(None, (part.strip() for part in SNS["Message"].splitlines()))
    assert title == f"{SNS['Subject']}.", "said once, as the subject"
    for line in lines:
        assert line.split()[-1] in page
    assert SNS["Subject"] in page
    assert "&gt;" not in page and ":warning:" not in page and "<http" not in page


def test_links_and_bold_words_are_shown_as_slack_shows_them() -> None:
    blocks = [
        {"type": "section", "text": {"type": "mrkdwn", "text": "*Report*: <https://example.com/a|the page>"}},
        {"type": "divider"},
        {"type": "actions", "elements": [{"type": "button", "text": {"type": "plain_text", "text": "Open"}}]},
        {"type": "image"},
    ]
    page = shown({"attachments": [{"color": "#DAA038", "blocks": blocks}]})
    assert "Report: the page" in page
    assert "[ Open ]" in page
    assert "(image)" in page, "what it cannot show is said"
