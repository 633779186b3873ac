"""Reads what SNS delivers: our own alerts, CloudWatch's alarms, and whatever else is sent to the topic."""

import json
import re
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

Mood = Literal["info", "warning", "critical", "escalated", "resolved"]
ALARM_MOODS: dict[str, Mood] = {"ALARM": "critical", "OK": "resolved", "INSUFFICIENT_DATA": "warning"}


@dataclass(frozen=True)
class Notice:
    """What people are told: a title, the text beneath it, small print, and how much it matters."""

    title: str
    text: str
    mood: Mood
    context: tuple[str, ...] = ()


def read_notice(sns: dict[str, Any]) -> Notice:
    """Return the notice in the `Sns` part of an event record; anything readable makes one."""
    attributes = {name: value["Value"] for name, value in (sns.get("MessageAttributes") or {}).items()}
    message, subject = sns["Message"], sns.get("Subject")
    content = _object(message)
    if content is not None and {"AlarmName", "NewStateValue"} <= content.keys():
        return _alarm(content)
    named = (attributes.get(name) for name in ("kind", "severity", "status", "model_version"))
    context = tuple(part for part in (*named, sns.get("Timestamp")) if part)
    title = subject or message.strip().partition("\n")[0] or "A message without words"
    text = message if content is None else json.dumps(content, indent=2, ensure_ascii=False)
    return Notice(title, _without(title, text), _mood(attributes), context)


def _without(title: str, text: str) -> str:
    """Return the text without a beginning that only repeats the title, which mail has in another place."""
    title_wrapped = r"\s+".join(map(re.escape, title.removeprefix("Worse: ").split()))
    rest = re.sub(rf"\A\s*{title_wrapped}\.?\s*\n", "", text)
    return rest if rest.strip() else text


def _mood(attributes: dict[str, str]) -> Mood:
    match attributes.get("status"):
        case "resolved" | "escalated" as status:
            return status
    match attributes.get("severity"):
        case "info" | "critical" as severity:
            return severity
        case _:  # a budget's message says nothing of how much it matters
            return "warning"


def _alarm(alarm: dict[str, Any]) -> Notice:
    state, name = str(alarm["NewStateValue"]), str(alarm["AlarmName"])
    lines = [str(alarm[key]) for key in ("AlarmDescription", "NewStateReason") if alarm.get(key)]
    if link := _console_link(str(alarm.get("AlarmArn", "")), name):
        lines.append(link)
    before = f"it was {alarm['OldStateValue']}" if alarm.get("OldStateValue") else None
    where = (alarm.get("Region"), alarm.get("AWSAccountId"), alarm.get("StateChangeTime"), before)
    context = tuple(str(part) for part in where if part)
    return Notice(f"{state}: {name}", "\n\n".join(lines), ALARM_MOODS.get(state, "warning"), context)


def _console_link(arn: str, name: str) -> str | None:
    """Return the alarm's page in the console; the region of an ARN is a code, the message's a name."""
    parts = arn.split(":")
    if len(parts) < 7:
        return None
    region, alarm = parts[3], quote(name, safe="")
    return f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#alarmsV2:alarm/{alarm}"


def _object(message: str) -> dict[str, Any] | None:
    try:
        content = json.loads(message)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None
