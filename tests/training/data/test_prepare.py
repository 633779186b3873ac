"""A data set gives three disjoint parts; invalid rows are named, and dropped rows are counted."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.training.data.reviews import PLENTY, parts, write_csv
from training.config import configure
from training.data.prepare import prepare
from training.errors import DataError

# Invalid data


def test_a_missing_column_names_the_option(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", PLENTY, ("body", "label"))
    with pytest.raises(DataError, match=r"no column 'text', only body, label; .* --text-column"):
        prepare(configure(data=path))
    with pytest.raises(DataError, match=r"no column 'stars', only body, label; .* --label-column"):
        prepare(configure(data=path, text_column="body", label_column="stars"))


@pytest.mark.parametrize(
    ("row", "reason", "message"),
    [
        (("", "good"), "empty_text", "x.csv row 3 has no text"),
        (("<br /> \t", "good"), "empty_text", "x.csv row 3 has no text"),
        (("fine", ""), "missing_label", "x.csv row 3 has no label"),
        (("fine",), "missing_label", "x.csv row 3 has no label"),
        (("fine", "meh"), "unknown_label", "x.csv row 3 has the label 'meh', not one of bad, good"),
    ],
)
def test_an_invalid_row_is_named_or_on_demand_dropped_and_counted(
    tmp_path: Path, row: tuple[str, ...], reason: str, message: str
) -> None:
    path = write_csv(tmp_path / "x.csv", [*PLENTY[:2], row, *PLENTY[2:]])
    with pytest.raises(DataError, match=message) as caught:
        prepare(configure(data=path, labels=("bad", "good")))
    assert caught.value.exit_code == 2
    data = prepare(configure(data=path, labels=("bad", "good"), drop_bad_rows=True))
    assert data.dropped == {reason: 1}
    assert sum(data.sizes.values()) == len(PLENTY)


@pytest.mark.parametrize("text", [17, None, "half a \\ud83d character"])
def test_a_row_without_readable_text_is_named(tmp_path: Path, text: object) -> None:
    lines = [json.dumps({"text": text, "label": 1}).replace("\\\\u", "\\u")]
    lines += [json.dumps({"text": t, "label": s}) for t, s in PLENTY]
    (tmp_path / "x.jsonl").write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"x.jsonl row 1 is not readable text"):
        prepare(configure(data=str(tmp_path / "x.jsonl")))


def test_one_label_is_not_enough(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", [(text, "good") for text, _ in PLENTY])
    with pytest.raises(DataError, match=r"one label only \(good\)"):
        prepare(configure(data=path))


def test_a_label_needs_rows_for_every_part(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", [*PLENTY, ("so so", "mixed"), ("hm", "mixed")])
    with pytest.raises(DataError, match="2 rows labeled 'mixed' and needs 3"):
        prepare(configure(data=path))


def test_too_many_labels_are_rejected(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", [(f"t {n}", f"l {n}") for n in range(200)])
    with pytest.raises(DataError, match="200 different labels"):
        prepare(configure(data=path))


# Labels, duplicates, splits


def test_labels_may_be_names_or_numbers(tmp_path: Path) -> None:
    numbered = [(text, ("0", "1")[label == "good"]) for text, label in PLENTY]
    named = prepare(configure(data=write_csv(tmp_path / "a.csv", PLENTY), labels=("bad", "good")))
    mapped = prepare(configure(data=write_csv(tmp_path / "b.csv", numbered), labels=("bad", "good")))
    assert mapped.train == named.train
    assert prepare(configure(data=str(tmp_path / "b.csv"))).labels == ["0", "1"]


def test_numeric_labels_are_ordered_as_numbers(tmp_path: Path) -> None:
    stars = [(f"text {n}", float(n % 3 * 5)) for n in range(60)]
    pq.write_table(
        pa.table({"text": [t for t, _ in stars], "label": [s for _, s in stars]}), tmp_path / "x.parquet"
    )
    assert prepare(configure(data=str(tmp_path / "x.parquet"))).labels == ["0", "5", "10"]


def test_no_text_is_in_two_parts_however_it_is_spelled(tmp_path: Path) -> None:
    copies = [(f"<br />{text.upper()}  ", label) for text, label in PLENTY]
    data = prepare(configure(data=write_csv(tmp_path / "x.csv", PLENTY + copies)))
    assert data.dropped == {"duplicate": len(PLENTY)}
    texts = [text for part in parts(data) for text in part]
    assert sorted(texts) == sorted(text for text, _ in PLENTY)


def test_a_text_with_one_word_changed_is_not_in_two_parts(tmp_path: Path) -> None:
    long = [(" ".join(f"word{n}x{place}" for place in range(30)), f"{n % 2}") for n in range(40)]
    changed = [(text.replace("x7 ", "x7 really "), label) for text, label in long]
    data = prepare(configure(data=write_csv(tmp_path / "x.csv", long + changed)))
    families = [{text.partition("x")[0] for text in part} for part in parts(data)]
    assert not (families[0] & families[1] or families[0] & families[2] or families[1] & families[2])
    assert data.dropped["near_duplicate"] == 80 - sum(data.sizes.values()) > 0


def test_a_part_of_near_duplicates_only_is_rejected(tmp_path: Path) -> None:
    rows = [(" ".join(f"word{place}" for place in range(30)) + f" {n}", f"{n % 2}") for n in range(40)]
    with pytest.raises(DataError, match=r"nearly equal"):
        prepare(configure(data=write_csv(tmp_path / "x.csv", rows)))


def test_duplicates_with_different_labels_are_all_dropped(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", [*PLENTY, ("Review number 7", "bad")])
    data = prepare(configure(data=path))
    assert data.dropped == {"contradiction": 2}
    assert not any("review number 7" in part for part in parts(data))


def test_a_test_text_is_not_trained_on(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for label in ("neg", "pos"):
            (tmp_path / part / label).mkdir(parents=True)
            for n in range(20):
                (tmp_path / part / label / f"{n}.txt").write_text(
                    f"{label} {n if part == 'train' else n + 15}"
                )
    data = prepare(configure(data=str(tmp_path)))
    assert data.dropped == {"duplicate": 10}
    shared = {f"{label} {n}" for label in ("neg", "pos") for n in range(15, 20)}
    assert not shared & set(data.train.texts + data.validation.texts)


def test_parts_are_stratified(tmp_path: Path) -> None:
    rows = [(f"t {n}", "rare" if n % 10 == 0 else "common") for n in range(500)]
    data = prepare(configure(data=write_csv(tmp_path / "x.csv", rows)))
    for part in (data.train, data.validation, data.test):
        assert part.labels.count(data.labels.index("rare")) == len(part) / 10


def test_the_split_depends_on_the_seed(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", PLENTY)
    first, again, other = (prepare(configure(data=path, seed=seed)) for seed in (1, 1, 2))
    assert first == again
    assert first.test != other.test
    assert first.fingerprint == other.fingerprint


def test_fewer_training_rows_do_not_change_the_held_out_rows(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", PLENTY)
    full, small = prepare(configure(data=path)), prepare(configure(data=path, train_rows=10))
    assert len(small.train) == 10
    assert set(small.test.texts) == set(full.test.texts)
    assert set(small.train.texts) <= set(full.train.texts)


def test_the_fingerprint_depends_on_the_data(tmp_path: Path) -> None:
    changed = [*PLENTY[:-1], (PLENTY[-1][0] + "!", PLENTY[-1][1])]
    one = prepare(configure(data=write_csv(tmp_path / "a.csv", PLENTY)))
    other = prepare(configure(data=write_csv(tmp_path / "b.csv", changed)))
    assert one.fingerprint != other.fingerprint
