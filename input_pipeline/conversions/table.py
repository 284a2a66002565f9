"""Any table of parts to a manifest: says which of its columns is what.

python -m input_pipeline.conversions.table --table segments.csv --out manifest.csv \\
    "ir=recordings/{recording}.npy" ir_rate=10 "start_frame={first}" \\
    "end_frame={stop}" "label={label}" "person={person}" "day={day}" \\
    --rename label walk1=walk walk2=walk

Each COLUMN=TEXT is a column of the manifest; {NAME} in the text is what the table's
column NAME has in that line. A manifest's columns are those of
`python -m input_pipeline.prepare clips`. Paths are relative to the table, and are
written relative to the manifest. ``--where NAME=VALUE`` keeps lines with this value,
--rename COLUMN OLD=NEW gives values of the manifest's column another name.
"""

import argparse
import csv
import os
import string
from collections.abc import Mapping, Sequence
from pathlib import Path

from input_pipeline import leaving
from input_pipeline.builders import manifests, parts
from input_pipeline.conversions.precog import ConversionError
from input_pipeline.streams import STORED

COLUMNS = (*manifests.COLUMNS, *parts.COLUMNS)


def read(table: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Returns the columns and the lines of a table; raises ConversionError."""
    try:
        text = table.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConversionError(f"{table} cannot be read ({error}).") from None
    first = text.partition("\n")[0]
    reader = csv.DictReader(
        text.splitlines(), delimiter=max(",;\t", key=first.count), strict=True
    )
    try:
        rows = [*reader]
    except csv.Error as error:
        raise ConversionError(f"{table}, line {reader.line_num}: {error}.") from None
    for number, row in enumerate(rows, 2):
        if None in row or None in row.values():
            raise ConversionError(
                f"{table}, line {number}: it has not as many cells as the header."
            )
    if not rows:
        raise ConversionError(f"{table} has no line below its header.")
    return [name.strip() for name in reader.fieldnames or ()], [
        {key.strip(): value.strip() for key, value in row.items()} for row in rows
    ]


def pairs(words: Sequence[str], what: str) -> dict[str, str]:
    """Returns NAME=VALUE words as a dict; raises ConversionError."""
    found = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not name or not equals:
            raise ConversionError(f"Got {word!r}; expected {what}.")
        found[name] = value
    return found


def convert(
    table: Path,
    out: Path,
    columns: Mapping[str, str],
    rename: Mapping[str, Mapping[str, str]],
    where: Mapping[str, str],
) -> int:
    """Writes the manifest; returns how many lines it has.

    Raises ConversionError where a column is not there, or is none of a manifest.
    """
    names, rows = read(table)
    wrong = [name for name in columns if name not in COLUMNS]
    if wrong or not {*columns} & {*STORED}:
        raise ConversionError(
            f"A manifest has no column {wrong[0]!r}; it may have {', '.join(COLUMNS)}."
            if wrong
            else f"No column names a file: give one of {', '.join(STORED)}."
        )
    used = {
        field
        for text in columns.values()
        for _, field, _, _ in string.Formatter().parse(text)
        if field is not None
    }
    missing = sorted(({*where} | used) - {*names})
    if missing or {*rename} - {*columns}:
        lost = missing or sorted({*rename} - {*columns})
        raise ConversionError(
            f"{table} has no column {lost[0]!r}; it has {', '.join(names)}."
            if missing
            else f"--rename is of the column {lost[0]!r}, which is not written."
        )
    kept = [row for row in rows if all(row[k] == v for k, v in where.items())]
    if not kept:
        raise ConversionError(f"No line of {table} is as --where wants it.")
    for column, names_of in rename.items():
        there = {columns[column].format_map(row) for row in kept}
        if unknown := sorted({*names_of} - there):
            raise ConversionError(
                f"--rename names {unknown[0]!r}, which no line has as {column}; there "
                f"are {', '.join(sorted(there)[:20])}."
            )
    out.parent.mkdir(parents=True, exist_ok=True)
    base = Path(os.path.relpath(table.parent.resolve(), out.parent.resolve()))
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for row in kept:
            cells = {name: text.format_map(row) for name, text in columns.items()}
            for name, value in cells.items():
                if name in STORED and value:
                    cells[name] = (base / value).as_posix()
                cells[name] = rename.get(name, {}).get(cells[name], cells[name])
            writer.writerow(cells.values())
    return len(kept)


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m input_pipeline.conversions.table",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("columns", nargs="+", metavar="COLUMN=TEXT")
    add("--table", required=True, type=Path, help="the CSV file that there is")
    add("--out", required=True, type=Path, help="the manifest that is written")
    add("--where", action="append", default=[], metavar="NAME=VALUE")
    add("--rename", action="append", default=[], nargs="+", metavar="COLUMN OLD=NEW")
    given = parser.parse_args(arguments)
    try:
        rename = {
            column: pairs(words, "--rename COLUMN OLD=NEW ...")
            for column, *words in given.rename
        }
        columns = pairs(given.columns, "COLUMN=TEXT")
        where = pairs(given.where, "--where NAME=VALUE")
        count = convert(given.table, given.out, columns, rename, where)
    except ConversionError as error:
        leaving.die(error)
    print(f"{count} lines in {given.out}.")


if __name__ == "__main__":
    main()
