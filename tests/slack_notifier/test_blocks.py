import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.slack_notifier.blocks import HEADER_LIMIT, LOOKS, SECTION_LIMIT, message_of
from functions.slack_notifier.notification import Notice, read_notice

EVENTS = Path(__file__).parents[2] / "events"


def sns(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())["Records"][0]["Sns"]
    return content


def texts(message: dict[str, Any]) -> str:
    (attachment,) = message["attachments"]
    parts = [block.get("text", {}).get("text", "") for block in attachment["blocks"]]
    parts += [element["text"] for block in attachment["blocks"] for element in block.get("elements", [])]
    return "\n".join(parts)


def test_a_drift_alert_shows_what_moved_and_where_to_read_on() -> None:
    message = message_of(read_notice(sns("sns_data_drift")))
    shown = texts(message)
    assert message["attachments"][0]["color"] == LOOKS["critical"][1]
    assert "- words: median 174 -&gt; 60" in shown
    assert "<https://example.com/docs/operations.md#drift>" in shown
    assert "<https://example.com/reports/drift/8a8f9e1c-31f5-4f0e-8f37-5f0d2a6b7c11/page>" in shown
    assert "data_drift · critical · open · 20261120-1a2b3c4d" in shown
    assert shown.count("6 of 8 input features moved") == 1, "the header says it"


def test_an_alert_that_got_worse_looks_worse_and_its_end_looks_well() -> None:
    sample = sns("sns_data_drift")
    sample["MessageAttributes"]["status"]["Value"] = "escalated"
    sample["Subject"] = f"Worse: {sample['Subject']}"
    worse = message_of(read_notice(sample))
    assert worse["text"].startswith(":arrow_double_up: Worse: Data drift")
    assert worse["attachments"][0]["color"] == LOOKS["escalated"][1]
    assert texts(worse).count("input features moved") == 1

    sample["MessageAttributes"]["status"]["Value"] = "resolved"
    assert message_of(read_notice(sample))["text"].startswith(":white_check_mark:")


def test_a_title_that_was_wrapped_for_mail_is_not_repeated() -> None:
    notice = read_notice({"Subject": "one two (three)", "Message": "one two\n(three).\nand more"})
    assert notice.text == "and more"
    assert read_notice({"Subject": "all", "Message": "all\n"}).text == "all\n"


@pytest.mark.parametrize(
    ("attributes", "mood"),
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
def test_the_message_attributes_decide_how_it_looks(attributes: dict[str, str], mood: str) -> None:
    given_attributes = {name: {"Type": "String", "Value": value} for name, value in attributes.items()}
    notice = read_notice({"Subject": "s", "Message": "m", "MessageAttributes": given_attributes})
    assert notice.mood == mood


@pytest.mark.parametrize(
    ("state", "mood"), [("ALARM", "critical"), ("OK", "resolved"), ("INSUFFICIENT_DATA", "warning")]
)
def test_an_alarm_of_cloudwatch_is_readable(state: str, mood: str) -> None:
    sample = sns("sns_cloudwatch_alarm")
    sample["Message"] = json.dumps(json.loads(sample["Message"]) | {"NewStateValue": state})

    notice = read_notice(sample)

    assert (notice.title, notice.mood) == (f"{state}: sentiment-prod-serving-ApiErrors", mood)
    assert notice.text.startswith("The API answers with errors. Runbook: https://example.com/")
    assert "Threshold Crossed: 1 out of the last 1 datapoints" in notice.text
    assert notice.text.endswith(
        "https://eu-central-1.console.aws.amazon.com/cloudwatch/home?region=eu-central-1"
        "#alarmsV2:alarm/sentiment-prod-serving-ApiErrors"
    )
    assert notice.context[0] == "EU (Frankfurt)"
    assert "{" not in texts(message_of(notice))


def test_an_alarm_with_the_least_in_it_still_makes_a_message() -> None:
    notice = read_notice({"Message": '{"AlarmName": "x", "NewStateValue": "ALARM"}'})
    assert message_of(notice)["text"] == ":rotating_light: ALARM: x"


def test_a_budget_is_shown_as_it_was_written() -> None:
    notice = read_notice(sns("sns_budget"))
    assert notice.title == "AWS Budgets: sentiment-prod has exceeded your alert threshold"
    assert "ACTUAL Amount: $84.12" in texts(message_of(notice))


def test_plain_text_without_a_subject_is_titled_by_its_first_line() -> None:
    assert read_notice({"Message": "first\nsecond", "Subject": None}).title == "first"
    assert read_notice({"Message": " "}).title == "A message without words"


def test_unknown_json_is_shown_line_by_line() -> None:
    notice = read_notice({"Message": '{"detail": {"status": "FAILED"}}', "Subject": "Training"})
    assert notice.text.splitlines()[2] == '    "status": "FAILED"'


def test_nothing_in_a_message_can_mention_people_or_hide_a_link() -> None:
    message = message_of(Notice("<!here> & @all", "<!channel> <https://evil.example|harmless>", "info"))
    shown = json.dumps(message)
    assert "<!" not in texts(message).replace(":information_source: <!here> & @all", "")
    assert "<!here>" not in message["text"]
    assert "|harmless>" not in shown
    sections = [block for block in message["attachments"][0]["blocks"] if block["type"] == "section"]
    assert all(section["text"]["verbatim"] for section in sections)


@given(title=st.text(), text=st.text(max_size=200), repeat=st.integers(1, 200))
def test_any_text_keeps_within_slacks_limits(title: str, text: str, repeat: int) -> None:
    message = message_of(Notice(title, "\n".join([text] * repeat), "critical", ("context",)))
    blocks = message["attachments"][0]["blocks"]
    assert len(blocks[0]["text"]["text"]) <= HEADER_LIMIT
    assert len(blocks) <= 6
    for block in blocks[1:-1]:
        assert 0 < len(block["text"]["text"]) <= SECTION_LIMIT


def test_what_does_not_fit_is_said_to_be_shortened() -> None:
    shown = texts(message_of(Notice("t", "\n".join(f"line {n}" for n in range(5000)), "info")))
    assert "line 0\n" in shown
    assert "… (shortened)" in shown
