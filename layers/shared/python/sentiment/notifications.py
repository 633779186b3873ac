"""What notifications have in common, whoever sends them."""

SUBJECT_LIMIT = 99  # SNS refuses 100 characters and more, line breaks, and anything but ASCII


def plain_subject(text: str) -> str:
    """Return the text as a subject that SNS takes: one line of ASCII, cut with dots where it is too long."""
    plain = " ".join(text.split()).encode("ascii", "replace").decode()
    return plain if len(plain) <= SUBJECT_LIMIT else plain[: SUBJECT_LIMIT - 3] + "..."
