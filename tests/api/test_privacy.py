"""No mode logs text; outside `full`, the hidden text is neither stored nor sent anywhere."""

import hashlib
import hmac
import io
import time
from collections.abc import Callable

import pytest

from functions.api.privacy import redact
from tests.api.driver import Api

KEY = "9b2f0a5c4d7e8f1a"
NUMBER = "44 668 18 00"  # complete, because its digits alone also occur in ids and hashes
TEXT = f"I, Zebulon, loved it: write to zeb@example.com or call +41 {NUMBER}."
FEEDBACK = "/predictions/019ab1de-7c1f-7d3a-9c55-3f6d3e0a4b21/feedback"


def use_everything(api: Api) -> list[str]:
    """Send the text to every route, with and without the queue, and return all that was stored."""
    for attempt in (0, 1):
        if attempt:
            api.break_queue()
        assert api.predict(TEXT).status == 200
        assert api.post("/predict/batch", {"texts": [TEXT, "dull"]}).status == 200
        assert api.post("/explain", {"text": TEXT}).status == 200
        assert api.post(FEEDBACK, {"label": "positive", "comment": TEXT}).status == 202
        assert api.post(FEEDBACK, {"label": TEXT}).status == 422
        assert api.post(f"/{TEXT.split()[1]}", {"text": TEXT}).status == 404
        if not attempt:
            stored = api.queued_bodies
    return stored + list(api.unsent.values())


@pytest.mark.parametrize("mode", ["full", "redacted", "hashed"])
def test_no_mode_logs_text(
    make_api: Callable[..., Api], mode: str, logs: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    use_everything(make_api(privacy_mode=mode, input_hash_key=KEY))
    assert logs.getvalue()
    everything = logs.getvalue() + "".join(capsys.readouterr())
    for word in ("Zebulon", "zeb@example.com", NUMBER):
        assert word not in everything


def test_hashed_stores_no_text_but_a_keyed_hash(make_api: Callable[..., Api]) -> None:
    api = make_api(privacy_mode="hashed", input_hash_key=KEY)
    api.predict(TEXT)
    [record] = api.queued
    assert record.text is None
    assert record.characters == len(TEXT)
    assert record.input_hash == hmac.new(KEY.encode(), TEXT.encode(), hashlib.sha256).hexdigest()
    for body in use_everything(api):
        assert "Zebulon" not in body
        assert "loved" not in body


def test_redacted_stores_text_without_contact_data(make_api: Callable[..., Api]) -> None:
    api = make_api(privacy_mode="redacted", input_hash_key=KEY)
    stored = use_everything(api)
    assert any("I, Zebulon, loved it: write to [EMAIL] or call [NUMBER]." in body for body in stored)
    for body in stored:
        assert "zeb@" not in body
        assert NUMBER not in body


def test_full_stores_text_and_a_plain_hash(api: Api) -> None:
    api.predict(TEXT)
    [record] = api.queued
    assert record.text == TEXT
    assert record.input_hash == hashlib.sha256(TEXT.encode()).hexdigest()


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("a.b+c@mail.example.co.uk!", "[EMAIL]!"),
        ("see https://example.com/a?b=c or www.example.org.", "see [URL] or [URL]"),
        ("thanks @some_one", "thanks [HANDLE]"),
        ("from 192.168.0.17", "from [ADDRESS]"),
        ("from 2001:0db8:85a3:0000:0000:8a2e:0370:7334", "from [ADDRESS]"),
        ("card 4111 1111 1111 1111.", "card [NUMBER]."),
        ("(044) 668-18-00", "[NUMBER]"),
        ("DE89 3704 0044 0532 0130 00", "[ACCOUNT]"),
        ("10/10, saw it in 1994 and 2004, at 20:30.", "10/10, saw it in 1994 and 2004, at 20:30."),
    ],
)
def test_redaction_finds_contact_data_and_leaves_ordinary_numbers(text: str, redacted: str) -> None:
    assert redact(text) == redacted


@pytest.mark.parametrize("piece", ["a", "1", "1 ", "a.", "@", "a@", "http://", "1.", "a:", "+1", "AB12 "])
def test_hostile_text_is_redacted_in_linear_time(piece: str) -> None:
    start = time.process_time()
    redact(piece * (5000 // len(piece)))
    assert time.process_time() - start < 0.25
