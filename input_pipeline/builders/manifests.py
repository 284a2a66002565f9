"""The table of a manifest: its columns and rows, and what a person may have meant.

Cells are separated by commas, semicolons or tabs, whichever the header has. What looks
right and is not (an index that pandas wrote, comments, cells that say nan) is refused
with a sentence that names it.
"""

import csv
import io
from pathlib import Path

from input_pipeline.builders import parts
from input_pipeline.builders.base import RawDataError
from input_pipeline.index import GROUPS
from input_pipeline.streams import STORED

NEEDED = ("label",)
OPTIONAL = ("split", "name", "subject", "camera", *GROUPS)
COLUMNS = (*STORED, *NEEDED, *OPTIONAL)
EVERY = (*COLUMNS, *parts.COLUMNS)
SEPARATORS = ",;\t"
# What programs write into a cell that is empty.
NOTHING = ("nan", "<na>", "nat", "none", "null", "na", "n/a", "#n/a", "nil", "-", "--")
# Of these a class may hardly be called so.
NO_CLASS = NOTHING[:3] + ("#n/a", "n/a")

Row = tuple[int, dict[str, str]]  # the line's number, and cells by column


def read(manifest: Path) -> tuple[list[str], list[Row]]:
    """Return the header and the rows, stripped of blanks.

    Raises RawDataError naming the line, the column or the cell that is wrong.
    """
    lines = _lines(manifest)
    if not lines:
        raise _columns(manifest, 1, [])
    first, header = lines[0]
    header = [cell.lower() for cell in header]
    lines = lines[1:]
    if header[0].startswith("#"):
        raise RawDataError(
            f"{manifest}, line {first}: {header[0][:50]!r} begins with #, as comments "
            "do; a manifest has none, and begins with the names of its columns: delete "
            "the line, or the #."
        )
    # A separator at the end of every line makes a column of nothing.
    while (
        len(header) > 1
        and not header[-1]
        and not any(
            row[len(header) - 1 :] != [""]
            for _, row in lines
            if len(row) >= len(header)
        )
    ):
        header.pop()
        lines = [(n, row[:-1] if len(row) > len(header) else row) for n, row in lines]
    _check_columns(manifest, first, header)
    rows = []
    for line, cells in lines:
        if len(cells) != len(header):
            raise RawDataError(
                f"{manifest}, line {line}: {len(cells)} cells, but the header has "
                f"{len(header)} columns.{_why(cells)}"
            )
        rows.append((line, dict(zip(header, cells, strict=True))))
        _check_comment(manifest, line, cells[0], header[0])
    if not rows:
        raise RawDataError(f"{manifest} has a header but no line for a clip.")
    return header, rows


def check_cell(where: str, column: str, cell: str, path: Path) -> None:
    """Raise RawDataError where a cell is no path of a stream, and nothing lies there.

    ``path``: what the cell names, from the manifest's folder.
    """
    nothing = cell.lower() in NOTHING
    if not nothing and "\\" not in cell or path.exists():
        return
    if nothing:
        raise RawDataError(
            f"{where}: the cell of {column} is {cell!r}, and there is no such file. "
            "Leave it empty where a clip has no such stream (pandas: to_csv(..., "
            "na_rep=''))."
        )
    raise RawDataError(
        f"{where}: the cell of {column}, {cell!r}, has backslashes, and there is no "
        f"such file. Write / between folders: {cell.replace(chr(92), '/')!r}."
    )


def check_label(where: str, label: str) -> None:
    """Raise RawDataError where a label is what programs write for none."""
    if not label:
        raise RawDataError(f"{where}: the label is empty.")
    if label.lower() in NO_CLASS:
        raise RawDataError(
            f"{where}: the label is {label!r}, as programs write into empty cells. "
            "Give the clip's class, or delete the line."
        )


def check_name(where: str, name: str) -> None:
    """Raise RawDataError where a clip's name is what programs write for none."""
    if name.lower() in NO_CLASS:
        raise RawDataError(
            f"{where}: the name is {name!r}, as programs write into empty cells. Leave "
            "it empty, or give each clip its own."
        )


def _lines(manifest: Path) -> list[tuple[int, list[str]]]:
    """The lines that are not blank, as numbers and cells."""
    data = manifest.read_bytes()
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise RawDataError(
            f"{manifest} is not a CSV file in UTF-8, but in UTF-16 (Excel's Unicode "
            "text). Export it again as CSV UTF-8."
        )
    try:
        # utf-8-sig: spreadsheet programs put a mark before the first column's name.
        text = data.decode("utf-8-sig")
        skipped, separator = 0, ""
        head = text.split("\n", 1)[0].strip()
        if head.lower().startswith("sep=") and len(head) <= 5:  # Excel's own line
            skipped, separator = 1, head[4:] or "\t"
            text = text.partition("\n")[2]
        reader = csv.reader(
            io.StringIO(text, newline=""),
            delimiter=separator or _separator(text),
            strict=True,
        )
        lines = []
        for cells in reader:
            number = reader.line_num + skipped
            broken = next((cell for cell in cells if "\n" in cell), None)
            if broken is not None:
                raise RawDataError(
                    f"{manifest}, line {number}: the cell {broken[:50]!r} goes over "
                    "several lines. Is a quotation mark left open?"
                )
            if any(cell.strip() for cell in cells):
                lines.append((number, [cell.strip() for cell in cells]))
    except (UnicodeDecodeError, csv.Error) as error:
        raise RawDataError(
            f"{manifest} is not a CSV file in UTF-8 ({error}). Export it again."
        ) from None
    return lines


def _separator(text: str) -> str:
    """The separator by which the first line falls into the most known columns."""
    first = next((line for line in text.splitlines() if line.strip()), "")

    def known(separator: str) -> tuple[int, int]:
        cells = [cell.strip(' "').lower() for cell in first.split(separator)]
        return len({*cells} & {*COLUMNS}), len(cells)

    return max(SEPARATORS, key=known)


def _check_columns(manifest: Path, line: int, header: list[str]) -> None:
    parts.check_columns(f"{manifest}, line {line}", header)
    unnamed = [
        i for i, name in enumerate(header, 1) if not name or name.startswith("unnamed:")
    ]
    if unnamed:
        which = f"column {unnamed[0]}" if len(unnamed) == 1 else f"columns {unnamed}"
        raise RawDataError(
            f"{manifest}, line {line}: {which} of {len(header)} has no name. Delete "
            "it; where pandas wrote its index so, write with to_csv(..., index=False)."
        )
    missing = any(column not in header for column in NEEDED)
    streams = any(stream in header for stream in STORED)
    unknown = any(column not in EVERY for column in header)
    if missing or not streams or unknown or len(set(header)) < len(header):
        raise _columns(manifest, line, header)


def _columns(manifest: Path, line: int, header: list[str]) -> RawDataError:
    unknown = [ascii(c)[1:-1] for c in header if c not in EVERY]
    twice = {ascii(c)[1:-1] for c in header if header.count(c) > 1}
    missing = [column for column in NEEDED if column not in header]
    if not any(stream in header for stream in STORED):
        missing.append(f"one of {', '.join(STORED)}")
    return RawDataError(
        f"{manifest}, line {line}: the columns are {', '.join(header) or 'none'}; "
        f"expected are {', '.join(COLUMNS)}, and of parts "
        f"{', '.join((*parts.SECONDS, *parts.FRAMES))}, STREAM_offset and STREAM_rate, "
        "each at most once, separated by commas, semicolons or tabs. Missing: "
        f"{', '.join(missing) or 'nothing'}. Unknown: "
        f"{', '.join(unknown) or 'nothing'}."
        + (f" Twice: {', '.join(sorted(twice))}." if twice else "")
    )


def _check_comment(manifest: Path, line: int, cell: str, column: str) -> None:
    """Names of files and classes may begin with #, but then they are there."""
    is_stream = column in STORED
    if cell.startswith("#") and not (is_stream and (manifest.parent / cell).exists()):
        raise RawDataError(
            f"{manifest}, line {line}: {cell[:50]!r} begins with #, as comments do; a "
            "manifest has none: delete the line."
        )


def _why(cells: list[str]) -> str:
    if cells[0].startswith("#"):
        return f" {cells[0][:50]!r} is a comment, it seems; a manifest has none."
    return " A cell that holds a separator stands in quotation marks."
