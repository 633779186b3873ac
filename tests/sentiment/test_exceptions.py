import inspect

from sentiment import exceptions
from sentiment.exceptions import SentimentError

errors = [error for _, error in inspect.getmembers(exceptions, inspect.isclass)]


def test_every_error_is_one_of_ours_and_is_called_an_error() -> None:
    assert len(errors) > 5
    for error in errors:
        assert issubclass(error, SentimentError)
        assert error.__name__.endswith("Error")


def test_every_error_has_a_code_of_its_own_and_an_http_status() -> None:
    codes = [error.code for error in errors]
    assert len(set(codes)) == len(codes)
    assert all(400 <= error.status < 600 for error in errors)
