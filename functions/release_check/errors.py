"""The error of a version that may not receive traffic."""

from sentiment.exceptions import SentimentError


class ReleaseError(SentimentError):
    """The version under test, or something it depends on, failed the check."""

    code = "release_refused"
