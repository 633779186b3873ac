"""Privacy modes: how much of a text may be stored: all, a redacted form, or only a keyed hash.

Redaction replaces what looks like contact data, network addresses and long numbers. It cannot recognize names
or what a sentence reveals: where that matters, use `hashed`. Text is never logged, in any mode.
"""

import hashlib
import hmac
import re

from functions.api.settings import PrivacyMode

# Patterns start at the start of a run and have bounded repeats, so that hostile text takes linear time.
REDACTIONS = (
    (re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"), "[EMAIL]"),
    (re.compile(r"\b(?:https?://|www\.)[^\s<>\"']{1,2000}", re.IGNORECASE), "[URL]"),
    (re.compile(r"(?<![\w@])@\w{2,64}"), "[HANDLE]"),
    (re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b"), "[ADDRESS]"),
    (re.compile(r"(?<![\w:])(?:[0-9a-f]{1,4}:){3,7}:?[0-9a-f]{1,4}(?![\w:])", re.IGNORECASE), "[ADDRESS]"),
    (re.compile(r"\b[A-Z]{2}\d{2}(?: ?[0-9A-Z]{4}){3,7}(?: ?[0-9A-Z]{1,3})?\b"), "[ACCOUNT]"),
    (re.compile(r"(?<![\w+])\+?\(?\d(?:[ ()./-]{0,2}\d){6,18}(?!\w)"), "[NUMBER]"),
)


def redact(text: str) -> str:
    """Replace email and network addresses, links, handles, account numbers and numbers from seven digits."""
    for pattern, placeholder in REDACTIONS:
        text = pattern.sub(placeholder, text)
    return text


def storable_text(text: str, mode: PrivacyMode) -> str | None:
    """Return what may be stored of a text; NUL, which Postgres cannot store, becomes U+FFFD."""
    if mode == "hashed":
        return None
    text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return redact(text) if mode == "redacted" else text


def hash_input(text: str, key: bytes | None) -> str:
    """Return the hash of a text as 64 hex digits: HMAC-SHA256 with a key, plain SHA-256 without."""
    content = text.encode()
    return hmac.new(key, content, hashlib.sha256).hexdigest() if key else hashlib.sha256(content).hexdigest()
