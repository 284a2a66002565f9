"""``python -m input_pipeline.split MANIFEST --out NEW.csv``: a split of own clips.

Nobody is on two sides, and every class is shared out as evenly as that goes. The table
that is printed says what came of it; NEW.csv is the manifest with its column split
filled in, to be prepared instead.
"""

import argparse
import csv
import io
from pathlib import Path

import numpy as np

from input_pipeline import folds, leaving
from input_pipeline.builders import manifests
from input_pipeline.builders.base import RawDataError
from input_pipeline.index import GROUPS, SPLITS
from input_pipeline.prepare.shards import write_text


def suggest(
    rows: list[manifests.Row], by: str, test: float, val: float
) -> tuple[list[str], list[str]]:
    """Returns the split of each row, and the group it was dealt with.

    Args:
      rows: of a manifest.
      by: the column that says who belongs together; "": each clip by itself.
      test, val: the shares of the clips.

    Raises:
      RawDataError: a clip's group is not known, there are too few, or the shares are
        none.
    """
    shares = {"train": 1 - test - val, "test": test, "val": val}
    parts = [name for name in SPLITS if shares[name] > 0]
    if min(test, val) < 0 or "train" not in parts or "test" not in parts:
        raise RawDataError(
            f"The shares are {test:g} to test on and {val:g} for validation; expected "
            "more than 0, and 0 or more, and together less than 1."
        )
    keys = [row[by] if by else str(line) for line, row in rows]
    if lost := [line for (line, _), key in zip(rows, keys, strict=True) if not key]:
        raise RawDataError(
            f"Line {lost[0]} and {len(lost) - 1} more have no {by}; say of every clip "
            f"of which {by} it is, or choose another --by."
        )
    if len(set(keys)) < len(parts):
        raise RawDataError(
            f"There are {len(set(keys))} groups by {by}; each of "
            f"{', '.join(parts)} needs one of its own. Choose another --by, or none."
        )
    classes = sorted({row["label"] for _, row in rows})
    labels = np.array([classes.index(row["label"]) for _, row in rows])
    dealt = folds.deal(keys, labels, [shares[name] for name in parts])
    return [parts[part] for part in dealt], keys


def table(rows: list[manifests.Row], found: list[str], keys: list[str], by: str) -> str:
    """Returns how many clips of each class, and how many groups, a split has."""
    names = [name for name in SPLITS if name in found]
    labels = [row["label"] for _, row in rows]
    width = max(len(label) for label in [*labels, by + "s", "clips"])
    lines = [f"{'':<{width}}" + "".join(f"{name:>8}" for name in names)]

    def line(title: str, numbers: list[int]) -> None:
        lines.append(f"{title:<{width}}" + "".join(f"{n:>8}" for n in numbers))

    pairs = list(zip(labels, found, strict=True))
    for label in sorted(set(labels)):
        line(label, [pairs.count((label, name)) for name in names])
    line("clips", [found.count(name) for name in names])
    if by:
        of = zip(keys, found, strict=True)
        sides = {(key, name) for key, name in of}
        line(f"{by}s", [sum(name == s for _, s in sides) for name in names])
    return "\n".join(lines)


def written(rows: list[manifests.Row], header: list[str], found: list[str]) -> str:
    """Returns the manifest with its column split filled in, as CSV."""
    text = io.StringIO()
    columns = [name for name in header if name != "split"] + ["split"]
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for (_, row), split in zip(rows, found, strict=True):
        writer.writerow(row | {"split": split})
    return text.getvalue()


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m input_pipeline.split")
    parser.description = "Suggests a split that keeps people apart."
    parser.add_argument("manifest", type=Path, help="a CSV of clips")
    about = "column of what stays together, none: nothing (the first there is of %s)"
    known = (*GROUPS[:1], "subject", *GROUPS[1:])
    parser.add_argument("--by", choices=[*known, "none"], help=about % ", ".join(known))
    parser.add_argument("--test", type=float, default=0.25, help="share (%(default)s)")
    parser.add_argument("--val", type=float, default=0.0, help="share (%(default)s)")
    parser.add_argument("--out", type=Path, help="the manifest to write")
    given = parser.parse_args(arguments)
    try:
        header, rows = manifests.read(given.manifest)
        by = given.by or next((name for name in known if name in header), "none")
        if by != "none" and by not in header:
            raise RawDataError(f"{given.manifest} has no column {by}.")
        by = "" if by == "none" else by
        found, keys = suggest(rows, by, given.test, given.val)
        print(table(rows, found, keys, by))
        if given.out:
            if given.out.resolve().parent != given.manifest.resolve().parent:
                raise RawDataError(
                    f"{given.out} would lie in another folder than {given.manifest}, "
                    "from which its paths are read. Choose a name beside it."
                )
            write_text(given.out, written(rows, header, found))
            print(f"Written: {given.out}")
    except (RawDataError, OSError) as error:
        leaving.die(error)


if __name__ == "__main__":
    main()
