"""What the Slack notifier reads: where the webhook's URL is kept, never the URL itself."""

from functools import cache

from pydantic import Field
from sentiment.settings import Settings, read_settings

SERVICE = "slack_notifier"  # how logs call this function


class SlackNotifierSettings(Settings):
    """The secret that holds the webhook: one of Secrets Manager, or a SecureString of Parameter Store."""

    slack_webhook_secret_arn: str = Field(
        pattern=r"^arn:aws[a-z-]*:(secretsmanager:[^:]*:[^:]*:secret:|ssm:[^:]*:[^:]*:parameter/).+$"
    )


@cache
def settings() -> SlackNotifierSettings:
    """Read the settings once; raises ConfigurationError naming what is missing."""
    return read_settings(SlackNotifierSettings)
