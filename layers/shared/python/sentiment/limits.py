"""How much the API takes in one request. Clients in other languages are held to it by a test."""

MAX_CHARACTERS = 5_000  # of a text, after stripping
MAX_TEXTS = 64  # of a batch
