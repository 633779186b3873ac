"""Parses SNS notifications: our own alerts, CloudWatch alarms, and anything else sent to the topic."""

import json
import re
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

Style = Literal["info", "warning", "critical", "escalated", "resolved"]
ALARM_STYLES: dict[str, Style] = {"ALARM": "critical", "OK": "resolved", "INSUFFICIENT_DATA": "warning"}


@dataclass(frozen=True)
class Notification:
    """A title, the text below it, context in small print, and the style that shows its severity."""

    title: str
    text: str
    style: Style
    context: tuple[str, ...] = ()


def parse_notification(sns: dict[str, Any]) -> Notification:
    """Return the notification in the `Sns` part of an event record; any message gives one."""
    attributes = {name: value["Value"] for name, value in (sns.get("MessageAttributes") or {}).items()}
    message, subject = sns["Message"], sns.get("Subject")
    content = _json_object(message)
    if content is not None and {"AlarmName", "NewStateValue"} <= content.keys():
        return _alarm(content)
    values = (attributes.get(name) for name in ("kind", "severity", "status", "model_version"))
    context = tuple(part for part in (*values, sns.get("Timestamp")) if part)
    title = subject or message.strip().partition("\n")[0] or "Empty message"
    text = message if content is None else json.dumps(content, indent=2, ensure_ascii=False)
    return Notification(title, _without_title(title, text), _style(attributes), context)


def _without_title(title: str, text: str) -> str:
    """Return the text without a first paragraph that repeats the title, as in mail."""
    title_wrapped = r"\s+".join(map(re.escape, title.removeprefix("Escalated: ").split()))
    rest = re.sub(rf"\A\s*{title_wrapped}\.?\s*\n", "", text)
    return rest if rest.strip() else text


def _style(attributes: dict[str, str]) -> Style:
    match attributes.get("status"):
        case "resolved" | "escalated" as status:
            return status
    match attributes.get("severity"):
        case "info" | "critical" as severity:
            return severity
        case _:  # messages of AWS Budgets have no severity
            return "warning"


def _alarm(alarm: dict[str, Any]) -> Notification:
    state, name = str(alarm["NewStateValue"]), str(alarm["AlarmName"])
    lines = [str(alarm[key]) for key in ("AlarmDescription", "NewStateReason") if alarm.get(key)]
    if link := _console_link(str(alarm.get("AlarmArn", "")), name):
        lines.append(link)
    previous = f"previously {alarm['OldStateValue']}" if alarm.get("OldStateValue") else None
    details = (alarm.get("Region"), alarm.get("AWSAccountId"), alarm.get("StateChangeTime"), previous)
    context = tuple(str(part) for part in details if part)
    return Notification(f"{state}: {name}", "\n\n".join(lines), ALARM_STYLES.get(state, "warning"), context)


def _console_link(arn: str, name: str) -> str | None:
    """Return the alarm's console URL; the ARN has the region's code, the message only its name."""
    parts = arn.split(":")
    if len(parts) < 7:
        return None
    region, alarm = parts[3], quote(name, safe="")
    return f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#alarmsV2:alarm/{alarm}"


def _json_object(message: str) -> dict[str, Any] | None:
    try:
        content = json.loads(message)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None
