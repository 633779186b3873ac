"""Passes what the alert topic publishes on to people: as mail into a folder, and to slack_notifier.

moto's SNS delivers to queues but calls no functions, so a queue is subscribed to the topic and this stands at
its end. What a mail says is what SNS would send by email: subject and message, as plain text.
"""

import json
import logging
import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from local.stand_ins.lambda_runtime import Function, FunctionError

logger = logging.getLogger(__name__)

SENDER = "AWS Notifications <no-reply@sns.amazonaws.com>"
NAME_CHARACTERS = 80


class Notices:
    """The consumer behind the alert queue's event source; each message of SNS comes as one record."""

    name = "notices"

    def __init__(self, mail: Path, slack_notifier: Function | None) -> None:
        self._mail, self._slack_notifier = mail, slack_notifier
        mail.mkdir(parents=True, exist_ok=True)

    def invoke(self, event: Mapping[str, Any]) -> dict[str, list[dict[str, str]]]:
        """Write each message as a mail and hand it to Slack; what Slack did not take comes again.

        A message that comes again overwrites its own mail.
        """
        failures = []
        for record in event["Records"]:
            notification = json.loads(record["body"])
            write_mail(self._mail, notification)
            if self._slack_notifier is None:
                continue
            try:
                self._slack_notifier.invoke(sns_event(notification))
            except FunctionError as error:
                logger.warning("Slack was not told: %s", error)
                failures.append({"itemIdentifier": record["messageId"]})
        return {"batchItemFailures": failures}


def write_mail(folder: Path, notification: Mapping[str, Any]) -> Path:
    """Write the mail that SNS would send for this notification and return its path, the same each time."""
    sent = datetime.fromisoformat(notification["Timestamp"])
    subject = notification.get("Subject") or "AWS Notification Message"
    words = re.sub(r"[^A-Za-z0-9]+", "-", subject)[:NAME_CHARACTERS].strip("-")
    path = folder / f"{sent:%Y%m%dT%H%M%S%f}-{words}.txt"
    head = f"From: {SENDER}\nDate: {format_datetime(sent)}\nSubject: {subject}\n"
    path.write_text(f"{head}\n{notification['Message']}\n", encoding="utf-8")
    return path


def sns_event(notification: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event with which SNS calls a function for this notification (see events/sns_*.json)."""
    attributes = notification.get("MessageAttributes", {})
    spelt_as_for_functions = {"SigningCertURL": "SigningCertUrl", "UnsubscribeURL": "UnsubscribeUrl"}
    sns = {spelt_as_for_functions.get(name, name): value for name, value in notification.items()}
    return {
        "Records": [
            {
                "EventSource": "aws:sns",
                "EventVersion": "1.0",
                "EventSubscriptionArn": f"{notification['TopicArn']}:local",
                "Sns": {"Subject": None, **sns, "MessageAttributes": attributes},
            }
        ]
    }
