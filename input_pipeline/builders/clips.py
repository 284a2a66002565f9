"""Any folder of paired clips, listed in a CSV manifest.

Columns: ``label`` (class names, or integers from 0) and one or more of ``rgb``, ``ir``,
``skeleton`` (paths relative to the manifest; an empty cell is a clip without that
stream); optional ``split`` (train, test or val; without it all are to train on, in
folds), ``name``, ``subject``, ``camera`` (numbers), ``person``, ``recording``, ``day``
(names, by which folds are made), and those of `parts`, where a line is a part of a
recording. How the table is read: `manifests`.
"""

import functools
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

from input_pipeline import encode, joints, records
from input_pipeline.builders import manifests, parts
from input_pipeline.builders.base import ClipBuilder, RawDataError
from input_pipeline.builders.manifests import COLUMNS, OPTIONAL
from input_pipeline.index import GROUPS, SPLITS
from input_pipeline.streams import STORED

PROTOCOL = "manifest"
MAX_CLASSES = 100_000
_FLOAT = re.compile(r"\d+\.0*")
# What TFDS can tell apart from the rest of a file's name.
_NAME = re.compile(r"[a-z][a-z0-9_]*")


class Clips(ClipBuilder):
    """Paired clips of a CSV manifest: one's own cameras, or a set of this form."""

    protocols: tuple[str, ...] = (PROTOCOL,)

    def __init__(
        self,
        *,
        raw: Path | str,
        options: encode.EncodeOptions,
        name: str = "clips",
        allow_outside: bool = False,
        layout: str = "",
        protocol: str = PROTOCOL,
        **kwargs: Any,
    ):
        """Read the manifest ``raw``; its clips become the data set ``name``.

        Paths may leave the manifest's folder only if ``allow_outside``. ``layout``: of
        the skeletons' joints, see `joints.find` ("": the only one of as many joints).
        Raises RawDataError naming the manifest's line, or the layout.
        """
        check_name(name)
        if not _NAME.fullmatch(protocol):
            raise RawDataError(
                f"A protocol cannot be called {protocol!r}: use lower-case letters, "
                "digits and underscores, and a letter first."
            )
        self.name, self.protocols = name, (protocol,)
        self.allow_outside = allow_outside
        try:
            self._layout = joints.find(layout) if layout else None
        except joints.LayoutError as error:
            raise RawDataError(str(error)) from None
        self.layout_given = bool(layout)
        self._classes, self._clips = _read(
            Path(raw), options.streams, allow_outside, protocol
        )
        super().__init__(raw=raw, options=options, **kwargs)
        self._original_state |= {"name": name, "allow_outside": allow_outside}
        self._original_state |= {"layout": layout, "protocol": protocol}

    @property
    def classes(self) -> list[str]:
        return self._classes

    def clips(self) -> list[encode.Clip]:
        return self._clips

    def warnings(self) -> list[str]:
        if "split" in _rows(self.raw)[0]:
            return []
        return [
            "The manifest has no column split, so that all clips are to train on. "
            "Train in folds (crossvalidate.py), or have a split made: python -m "
            "input_pipeline.split MANIFEST --out SPLIT.csv."
        ]

    def layout(self, count: int) -> joints.Layout | None:
        return self._layout if self.layout_given else super().layout(count)


def check_name(name: str) -> None:
    """Raises RawDataError if a data set cannot be called so."""
    if not _NAME.fullmatch(name):
        raise RawDataError(
            f"A data set cannot be called {name!r}: use lower-case letters, digits and "
            "underscores, and a letter first."
        )


def manifest_streams(manifest: Path) -> tuple[str, ...]:
    """Streams that a manifest has a column for, in the order of the table."""
    header, _ = _rows(manifest)
    return tuple(stream for stream in STORED if stream in header)


def _rows(manifest: Path) -> tuple[list[str], list[manifests.Row]]:
    if not manifest.is_file():
        why = "is a folder" if manifest.is_dir() else "does not exist"
        raise RawDataError(
            f"The manifest {manifest} {why}. Write a CSV file with the "
            f"columns {', '.join(COLUMNS)} ({', '.join(OPTIONAL)} may be left out, and "
            "streams that you do not have)."
        )
    return manifests.read(manifest)


def _read(
    manifest: Path,
    streams: tuple[str, ...],
    allow_outside: bool,
    protocol: str = PROTOCOL,
) -> tuple[list[str], list[encode.Clip]]:
    header, rows = _rows(manifest)
    for stream in streams:
        if stream not in header:
            raise RawDataError(
                f"{manifest} has no column {stream}, but --streams asks for it."
            )
    classes, labels = _labels(manifest, rows)
    clips: dict[str, encode.Clip] = {}
    files = Counter(_recording(row, streams) for _, row in rows)
    shared = max(files.values()) > 1  # clips of one recording belong together
    lines: dict[str, int] = {}
    spans: dict[tuple, int] = {}
    for line, row in rows:
        where = f"{manifest}, line {line}"
        paths = {
            stream: _cell(where, manifest.parent, row, allow_outside, stream)
            for stream in streams
            if row[stream]
        }
        if not paths:
            raise RawDataError(
                f"{where}: all of {', '.join(streams)} are empty, so there is no clip."
            )
        first = next(row[stream] for stream in streams if row[stream])
        name = row.get("name") or _stem(first) + parts.name(row)
        manifests.check_name(where, row.get("name", ""))
        if name in lines:
            raise RawDataError(
                f"{where}: the clip {name!r} stands in line {lines[name]} already. "
                "Delete one of the lines, or give each its own name in the column name."
            )
        split = row.get("split", "train").lower()
        if split not in SPLITS:
            raise RawDataError(
                f"{where}: the split is {row['split']!r}; expected {', '.join(SPLITS)}."
            )
        lines[name] = line
        part = parts.read(
            where,
            row,
            header,
            functools.partial(_cell, where, manifest.parent, row, allow_outside),
        )
        if part is not None and not row.get("name"):
            spelt = (*sorted(paths.items()), part.start, part.end)
            if (before := spans.setdefault(spelt, line)) != line:
                raise RawDataError(
                    f"{where}: line {before} is of the same part of the same files. "
                    "Delete one of them, or give each its own name in the column name."
                )
        clips[name] = encode.Clip(
            name=name,
            label=labels[line],
            paths=paths,
            splits={protocol: split},
            subject=_number(where, row, "subject"),
            camera=_number(where, row, "camera"),
            part=part,
            groups=_groups(where, row, _recording(row, streams) if shared else ""),
        )
    return classes, [clips[name] for name in sorted(clips)]


def _labels(
    manifest: Path, rows: list[manifests.Row]
) -> tuple[list[str], dict[int, int]]:
    """Class names, and the label by line: all labels are names, or all are integers."""
    written = {line: row["label"] for line, row in rows}
    numbers = {
        line: int(text[:10]) for line, text in written.items() if text.isdecimal()
    }
    for line, text in written.items():
        where = f"{manifest}, line {line}"
        manifests.check_label(where, text)
        if numbers and line not in numbers:
            other = min(numbers)
            raise RawDataError(
                f"{where}: the label {text!r} is no integer from 0, but line {other} "
                f"has {written[other]!r}. Use class names everywhere, or integers."
            )
    floats = [text for text in written.values() if _FLOAT.fullmatch(text)]
    if len(floats) == len(written):
        raise RawDataError(
            f"{manifest}: the labels are {floats[0]}, ...; expected integers or names. "
            "(pandas writes integers so, where some cells are empty.)"
        )
    if numbers and max(numbers.values()) >= MAX_CLASSES:
        line = max(numbers, key=numbers.__getitem__)
        raise RawDataError(
            f"{manifest}, line {line}: the label {written[line][:50]!r} would make as "
            f"many classes; expected integers from 0 to {MAX_CLASSES - 1}."
        )
    if numbers:
        return [str(i) for i in range(max(numbers.values()) + 1)], numbers
    classes = sorted(set(written.values()))
    return classes, {line: classes.index(text) for line, text in written.items()}


def _cell(
    where: str, folder: Path, row: dict[str, str], allow_outside: bool, stream: str
) -> Path:
    return _path(where, folder, stream, row[stream], allow_outside)


def _path(
    where: str, folder: Path, stream: str, cell: str, allow_outside: bool
) -> Path:
    path, inside = folder / cell, folder.resolve()
    try:
        # Resolved, so that neither ".." nor a link leads out unnoticed.
        outside = not path.resolve().is_relative_to(inside)
        if not outside and not allow_outside and path.is_dir():  # of frames
            with os.scandir(path) as entries:
                links = [Path(entry) for entry in entries if entry.is_symlink()]
            outside = not all(link.resolve().is_relative_to(inside) for link in links)
        manifests.check_cell(where, stream, cell, path)
    except RawDataError:
        raise
    except (OSError, ValueError, RuntimeError) as error:
        raise RawDataError(f"{where}: {cell!r} is no path ({error}).") from None
    if outside and not allow_outside:
        raise RawDataError(
            f"{where}: {cell!r} leads out of the manifest's folder {folder}. Put the "
            "files below it, or give --allow_outside if you trust the manifest."
        )
    return path


def _stem(cell: str) -> str:
    """A path without the ending of its file."""
    path = Path(cell)
    return path.with_suffix("").as_posix() if path.name else cell


def _recording(row: dict[str, str], streams: tuple[str, ...]) -> str:
    """The file that a clip is of, without the number of a video in it."""
    return next((row[s].partition("#")[0] for s in streams if row.get(s)), "")


def _groups(where: str, row: dict[str, str], recording: str) -> dict[str, str]:
    """Of whom, of which recording and day a clip is, where the manifest says."""
    found = {kind: row[kind] for kind in GROUPS if row.get(kind)}
    if recording:
        found.setdefault("recording", recording)
    for kind, name in found.items():
        if name.lower() in manifests.NOTHING:
            raise RawDataError(
                f"{where}: the {kind} is {name!r}, as programs write into empty cells. "
                "Leave it empty where it is not known."
            )
    return found


def _number(where: str, row: dict[str, str], column: str) -> int:
    text = row.get(column, "")
    if not text:
        return records.UNKNOWN
    if not text.isdecimal() or len(text) > 9:
        raise RawDataError(
            f"{where}: the {column} is {text[:50]!r}; expected an integer from 0 to "
            "999999999 or nothing."
        )
    return int(text)
