"""Why a version may not have traffic."""

from sentiment.exceptions import SentimentError


class ReleaseError(SentimentError):
    """The version under test, or something it needs, does not do what it should."""

    code = "release_refused"
