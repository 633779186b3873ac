import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.slack_notifier.blocks import HEADER_LIMIT, SECTION_LIMIT, STYLES, build_message
from functions.slack_notifier.notification import Notification, parse_notification

EVENTS = Path(__file__).parents[2] / "events"


def sns(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())["Records"][0]["Sns"]
    return content


def texts(message: dict[str, Any]) -> str:
    (attachment,) = message["attachments"]
    parts = [block.get("text", {}).get("text", "") for block in attachment["blocks"]]
    parts += [element["text"] for block in attachment["blocks"] for element in block.get("elements", [])]
    return "\n".join(parts)


def test_a_drift_alert_shows_the_features_and_its_links() -> None:
    message = build_message(parse_notification(sns("sns_data_drift")))
    shown = texts(message)
    assert message["attachments"][0]["color"] == STYLES["critical"][1]
    assert "- words: median 174 -&gt; 60" in shown
    assert "<https://example.com/docs/operations.md#drift>" in shown
    assert "<https://example.com/reports/drift/8a8f9e1c-31f5-4f0e-8f37-5f0d2a6b7c11/page>" in shown
    assert "data_drift · critical · open · 20261120-1a2b3c4d" in shown
    assert shown.count("6 of 8 input features drifted") == 1, "in the header"


def test_escalated_and_resolved_alerts_have_their_own_styles() -> None:
    sample = sns("sns_data_drift")
    sample["MessageAttributes"]["status"]["Value"] = "escalated"
    sample["Subject"] = f"Escalated: {sample['Subject']}"
    escalated = build_message(parse_notification(sample))
    assert escalated["text"].startswith(":arrow_double_up: Escalated: Data drift")
    assert escalated["attachments"][0]["color"] == STYLES["escalated"][1]
    assert texts(escalated).count("input features drifted") == 1

    sample["MessageAttributes"]["status"]["Value"] = "resolved"
    assert build_message(parse_notification(sample))["text"].startswith(":white_check_mark:")


def test_a_wrapped_title_is_not_repeated_in_the_text() -> None:
    notification = parse_notification(
        {"Subject": "one two (three)", "Message": "one two\n(three).\nand more"}
    )
    assert notification.text == "and more"
    assert parse_notification({"Subject": "all", "Message": "all\n"}).text == "all\n"


@pytest.mark.parametrize(
    ("attributes", "style"),
    [
        ({"severity": "info"}, "info"),
        ({"severity": "warning"}, "warning"),
        ({"severity": "critical"}, "critical"),
        ({"severity": "info", "status": "resolved"}, "resolved"),
        ({"severity": "critical", "status": "resolved"}, "resolved"),
        ({"severity": "critical", "status": "escalated"}, "escalated"),
        ({"severity": "critical", "status": "open"}, "critical"),
        ({"severity": "unheard of"}, "warning"),
        ({}, "warning"),
    ],
)
def test_the_message_attributes_decide_the_style(attributes: dict[str, str], style: str) -> None:
    given_attributes = {name: {"Type": "String", "Value": value} for name, value in attributes.items()}
    notification = parse_notification({"Subject": "s", "Message": "m", "MessageAttributes": given_attributes})
    assert notification.style == style


@pytest.mark.parametrize(
    ("state", "style"), [("ALARM", "critical"), ("OK", "resolved"), ("INSUFFICIENT_DATA", "warning")]
)
def test_a_cloudwatch_alarm_is_readable(state: str, style: str) -> None:
    sample = sns("sns_cloudwatch_alarm")
    sample["Message"] = json.dumps(json.loads(sample["Message"]) | {"NewStateValue": state})

    notification = parse_notification(sample)

    assert (notification.title, notification.style) == (f"{state}: sentiment-prod-serving-ApiErrors", style)
    assert notification.text.startswith("The API answers with errors. Runbook: https://example.com/")
    assert "Threshold Crossed: 1 out of the last 1 datapoints" in notification.text
    assert notification.text.endswith(
        "https://eu-central-1.console.aws.amazon.com/cloudwatch/home?region=eu-central-1"
        "#alarmsV2:alarm/sentiment-prod-serving-ApiErrors"
    )
    assert notification.context[0] == "EU (Frankfurt)"
    assert "{" not in texts(build_message(notification))


def test_a_minimal_alarm_still_gives_a_message() -> None:
    notification = parse_notification({"Message": '{"AlarmName": "x", "NewStateValue": "ALARM"}'})
    assert build_message(notification)["text"] == ":rotating_light: ALARM: x"


def test_a_budget_notification_is_shown_unchanged() -> None:
    notification = parse_notification(sns("sns_budget"))
    assert notification.title == "AWS Budgets: sentiment-prod has exceeded your alert threshold"
    assert "ACTUAL Amount: $84.12" in texts(build_message(notification))


def test_plain_text_without_a_subject_is_titled_by_its_first_line() -> None:
    assert parse_notification({"Message": "first\nsecond", "Subject": None}).title == "first"
    assert parse_notification({"Message": " "}).title == "Empty message"


def test_unknown_json_is_indented() -> None:
    notification = parse_notification({"Message": '{"detail": {"status": "FAILED"}}', "Subject": "Training"})
    assert notification.text.splitlines()[2] == '    "status": "FAILED"'


def test_a_message_cannot_mention_people_or_disguise_a_link() -> None:
    message = build_message(
        Notification("<!here> & @all", "<!channel> <https://evil.example|harmless>", "info")
    )
    shown = json.dumps(message)
    assert "<!" not in texts(message).replace(":information_source: <!here> & @all", "")
    assert "<!here>" not in message["text"]
    assert "|harmless>" not in shown
    sections = [block for block in message["attachments"][0]["blocks"] if block["type"] == "section"]
    assert all(section["text"]["verbatim"] for section in sections)


@given(title=st.text(), text=st.text(max_size=200), repeat=st.integers(1, 200))
def test_any_text_keeps_within_slacks_limits(title: str, text: str, repeat: int) -> None:
    message = build_message(Notification(title, "\n".join([text] * repeat), "critical", ("context",)))
    blocks = message["attachments"][0]["blocks"]
    assert len(blocks[0]["text"]["text"]) <= HEADER_LIMIT
    assert len(blocks) <= 6
    for block in blocks[1:-1]:
        assert 0 < len(block["text"]["text"]) <= SECTION_LIMIT


def test_a_text_that_does_not_fit_is_marked_as_shortened() -> None:
    shown = texts(build_message(Notification("t", "\n".join(f"line {n}" for n in range(5000)), "info")))
    assert "line 0\n" in shown
    assert "… (shortened)" in shown
