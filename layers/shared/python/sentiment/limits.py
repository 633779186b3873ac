"""Limits of one API request. A test checks that clients in other languages use the same."""

MAX_CHARACTERS = 5_000  # of a text, after stripping
MAX_TEXTS = 64  # of a batch
