"""The rows that the wide part is fitted on: the training rows, and those that `train_rows` left out."""

from itertools import compress

from training.data.near_duplicates import HeldOutTexts, normalized
from training.data.rows import Dataset, Rows

# The ids and features of the rows are held in memory: gigabytes for many more long texts.
MOST_ROWS = 100_000


def wide_rows(data: Dataset) -> Rows:
    """Return the rows, evenly spaced if there are more than MOST_ROWS.

    A text that was left out is left out here too if it nearly equals a held-out row, or is a training row
    after all: extra rows may give it a newer label.
    """
    train, left_out = data.train, data.left_out
    every = slice(None, None, -(-(len(train) + len(left_out)) // MOST_ROWS))
    more = left_out.texts[every]
    held_out = HeldOutTexts([*data.validation.texts, *data.test.texts])
    known = {normalized(text) for text in train.texts} if more else set()
    new = [normalized(text) not in known and not held_out.has_near_duplicate(text) for text in more]
    return Rows(
        [*train.texts[every], *compress(more, new)],
        [*train.labels[every], *compress(left_out.labels[every], new)],
        train.weights and [*train.weights[every], *[1.0] * sum(new)],
    )
