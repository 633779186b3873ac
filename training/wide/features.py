"""The features of the wide part: unigrams and bigrams of a text's token ids, hashed into buckets.

The tokenizer's own special tokens take part, so a bigram also says that a token begins or ends the text.
`training.export.wide` writes the same arithmetic as ONNX operators; a test proves that both agree.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

# Random odd factors below 2^42: with ids below 2^20, sums stay below 2^63.
UNIGRAM_FACTOR = 2_654_435_761
BIGRAM_FACTORS = (2_654_507_513, 2_246_822_519)
BIGRAM_OFFSET = 7


def buckets(ids: Sequence[int], size: int) -> NDArray[np.int64]:
    """Return the bucket of each of the n tokens, then that of each of the n - 1 pairs of neighbors."""
    tokens = np.asarray(ids, dtype=np.int64)
    first, second = BIGRAM_FACTORS
    pairs = tokens[:-1] * first + tokens[1:] * second + BIGRAM_OFFSET
    return np.concatenate([tokens * UNIGRAM_FACTOR, pairs]) % size


def count_matrix(encoded: Sequence[Sequence[int]], size: int) -> "csr_matrix[Any]":
    """Count the features of texts; returns (texts, size), float32."""
    columns, counts, ends = [], [], [0]
    for ids in encoded:
        column, count = np.unique(buckets(ids, size), return_counts=True)
        columns.append(column.astype(np.int32))
        counts.append(count.astype(np.float32))
        ends.append(ends[-1] + len(column))
    return csr_matrix((np.concatenate(counts), np.concatenate(columns), ends), shape=(len(encoded), size))
