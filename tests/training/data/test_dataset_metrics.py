"""A data set is described by part: how it is labeled, how long its texts are, in which languages."""

from training.data.dataset_metrics import describe
from training.data.rows import Dataset, Rows

ENGLISH = "This was a very long film about the rain, and nobody in the cinema wanted it to end."
GERMAN = "Das war ein sehr langer Film ueber den Regen, und niemand im Kino wollte, dass er endet."


def test_each_part_has_label_counts_lengths_and_languages() -> None:
    train = Rows([ENGLISH, ENGLISH, GERMAN, "<br />" + ENGLISH], [0, 0, 1, 0])
    data = Dataset("x", ["bad", "good"], train, Rows([GERMAN], [1]), Rows([], []), {}, "sha256:0")
    described = describe(data)
    assert described.keys() == {"train", "validation"}, "there is nothing to say of no rows"
    assert described["train"]["labels"] == {"bad": 3, "good": 1}
    assert described["train"]["languages"] == {"en": 0.75, "de": 0.25}
    assert described["train"]["characters"]["p50"] == len(ENGLISH) + 2
    assert described["validation"]["words"] == dict.fromkeys(("p05", "p25", "p50", "p75", "p95"), 17.0)
    assert describe(data) == described, "a sample, and always the same"
