"""The subscriptions of the alert topic on the laptop: email, as files in a folder, and slack_notifier.

moto's SNS delivers to queues but does not invoke functions, so a queue is subscribed to the topic, and this
consumes it. An email has the subject and message that SNS would send, as plain text.
"""

import json
import logging
import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from local.logs import error_fields
from local.stand_ins.lambda_runtime import Function, FunctionError

logger = logging.getLogger(__name__)

SENDER = "AWS Notifications <no-reply@sns.amazonaws.com>"
NAME_CHARACTERS = 80


class SnsDelivery:
    """The consumer of the alert queue; each record is one SNS message."""

    name = "sns-delivery"

    def __init__(self, mail_folder: Path, slack_notifier: Function | None) -> None:
        self._mail_folder, self._slack_notifier = mail_folder, slack_notifier
        mail_folder.mkdir(parents=True, exist_ok=True)

    def invoke(self, event: Mapping[str, Any]) -> dict[str, list[dict[str, str]]]:
        """Write each message as an email and invoke slack_notifier; return the messages it failed on.

        A message that is received again overwrites its own email.
        """
        failures = []
        for record in event["Records"]:
            notification = json.loads(record["body"])
            write_mail(self._mail_folder, notification)
            if self._slack_notifier is None:
                continue
            try:
                self._slack_notifier.invoke(sns_event(notification))
            except FunctionError as error:
                logger.warning("Slack not notified", extra=error_fields(error))
                failures.append({"itemIdentifier": record["messageId"]})
        return {"batchItemFailures": failures}


def write_mail(folder: Path, notification: Mapping[str, Any]) -> Path:
    """Write the email that SNS would send for this notification; return its path, which is deterministic."""
    sent = datetime.fromisoformat(notification["Timestamp"])
    subject = notification.get("Subject") or "AWS Notification Message"
    words = re.sub(r"[^A-Za-z0-9]+", "-", subject)[:NAME_CHARACTERS].strip("-")
    path = folder / f"{sent:%Y%m%dT%H%M%S%f}-{words}.txt"
    head = f"From: {SENDER}\nDate: {format_datetime(sent)}\nSubject: {subject}\n"
    path.write_text(f"{head}\n{notification['Message']}\n", encoding="utf-8")
    return path


def sns_event(notification: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event with which SNS invokes a function for this notification (see events/sns_*.json)."""
    attributes = notification.get("MessageAttributes", {})
    renamed = {"SigningCertURL": "SigningCertUrl", "UnsubscribeURL": "UnsubscribeUrl"}
    sns = {renamed.get(name, name): value for name, value in notification.items()}
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
