"""The Slack notifier's settings: the ARN of the webhook's secret, never the URL itself."""

from functools import cache

from pydantic import Field
from sentiment.settings import Settings, read_settings

SERVICE = "slack_notifier"  # its name in logs


class SlackNotifierSettings(Settings):
    """The ARN of a Secrets Manager secret or a Parameter Store SecureString that holds the webhook URL."""

    slack_webhook_secret_arn: str = Field(
        pattern=r"^arn:aws[a-z-]*:(secretsmanager:[^:]*:[^:]*:secret:|ssm:[^:]*:[^:]*:parameter/).+$"
    )


@cache
def settings() -> SlackNotifierSettings:
    """Read the settings once; raises ConfigurationError naming what is missing."""
    return read_settings(SlackNotifierSettings)
