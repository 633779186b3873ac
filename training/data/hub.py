"""Read a data set of the Hugging Face hub, or a local folder in its layout."""

from pathlib import Path

from training.data.csv_quotes import check_quotes
from training.data.table import EMBEDDED, Columns, Table, check_columns, utf8_errors
from training.errors import DataError


def read_hub(data: str, columns: Columns, subset: str | None, split: str, test_split: str) -> Table:
    """Read a data set from the Hugging Face hub, or a local folder in its layout."""
    import datasets

    datasets.disable_progress_bars()
    try:
        _check_quotes(data, subset, columns)
        splits = datasets.load_dataset(data, subset)
    except DataError:
        raise
    except Exception as error:  # errors of the library, the hub or the network
        reason = str(error).splitlines()[0]
        raise DataError(
            f"cannot read data set {data!r}: {reason} Give {EMBEDDED!r}, a CSV, Parquet or JSONL "
            "file, a folder, or a data set of the hub that is reachable or cached"
        ) from error
    if test_split == "auto":
        test_split = "test" if "test" in splits and split != "test" else "none"
    names = [split] if test_split == "none" else [split, test_split]
    texts, labels, places, counts = [], [], [], []
    for name in names:
        if name not in splits:
            raise DataError(f"{data} has no split {name!r}, only {', '.join(splits)}; choose one of them")
        part = splits[name]
        check_columns(part.features, columns, f"{data} split {name}")
        texts += part[columns.text]
        labels += part[columns.label]
        places += [f"{name} row {number}" for number in range(1, len(part) + 1)]
        counts.append(len(texts))
    label_names = getattr(splits[split].features[columns.label], "names", None)
    return Table(
        name=data,
        texts=texts,
        labels=labels,
        places=places,
        label_names=tuple(label_names) if label_names else None,
        train_count=counts[0] if len(names) == 2 else None,
    )


def _check_quotes(data: str, subset: str | None, columns: Columns) -> None:
    """Reject a data set of CSV files whose quotes swallow rows, which the library does not notice.

    Downloads files of the hub into the cache that the library then reads.
    """
    import datasets
    from datasets.packaged_modules.csv.csv import Csv

    builder = datasets.load_dataset_builder(data, subset)
    if not isinstance(builder, Csv) or len(builder.config.sep) != 1:
        return
    files = builder.config.data_files
    assert files is not None  # noqa: S101 - the builder was made from them
    local = datasets.DownloadManager(dataset_name=builder.dataset_name).download_and_extract(files)
    for split, paths in local.items():
        for source, path in zip(files[split], paths, strict=True):
            name = str(source).rpartition("/")[2]
            with utf8_errors(Path(name)):
                check_quotes(Path(path), (columns.label,), delimiter=builder.config.sep, name=name)
