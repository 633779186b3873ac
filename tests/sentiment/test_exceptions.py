import inspect

from sentiment import exceptions
from sentiment.exceptions import SentimentError

errors = [error for _, error in inspect.getmembers(exceptions, inspect.isclass)]


def test_every_error_derives_from_sentiment_error_and_ends_in_error() -> None:
    assert len(errors) > 5
    for error in errors:
        assert issubclass(error, SentimentError)
        assert error.__name__.endswith("Error")


def test_every_error_has_its_own_code_and_an_http_status() -> None:
    codes = [error.code for error in errors]
    assert len(set(codes)) == len(codes)
    assert all(400 <= error.status < 600 for error in errors)
