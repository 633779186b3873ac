from uuid import UUID

import pytest
from sentiment.http import choose_correlation_id


@pytest.mark.parametrize("received", ["abc", "0af7651916cd43dd-b7ad6b7169203331", "a" * 128])
def test_a_safe_id_of_the_caller_is_kept(received: str) -> None:
    assert choose_correlation_id(received) == received


@pytest.mark.parametrize("received", [None, "", "a" * 129, "line\nbreak", "a b", '"quoted"', "naïve", "a\n"])
def test_any_other_id_is_replaced(received: str | None) -> None:
    first, second = choose_correlation_id(received), choose_correlation_id(received)
    assert UUID(first).version == UUID(second).version == 4
    assert first != second
