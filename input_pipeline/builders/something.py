"""Something-Something, read from its folders of frames (V1) or videos (V2).

V1 comes with lists in CSV (``ID;LABEL`` a line), V2 in JSON (``template`` with the
objects in brackets); both are read, and the labels are those of the list of labels. The
official test set has no labels: the validation set is the split "test", as in papers.
"""

import csv
import functools
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from input_pipeline import encode, howto
from input_pipeline.builders import files
from input_pipeline.builders.base import ClipBuilder, RawDataError

PROTOCOL = "official"
_ID = re.compile(r"[\w-][\w.-]*", re.ASCII)
# Part of a list's file name, by split.
LISTS = {"train": "train", "test": "validation"}


class Something(ClipBuilder):
    """Something-Something V1 (108,499 clips) or V2: 174 things that hands do."""

    name = "something"
    protocols = (PROTOCOL,)

    @functools.cached_property
    def classes(self) -> list[str]:
        path = self._list("labels")
        if path.suffix != ".json":
            return [_plain(files.clean(line)) for line in files.read_lines(path)]
        try:
            table = json.loads(path.read_text(encoding="utf-8"))
            found = {int(number): _plain(name) for name, number in table.items()}
            classes = [found[i] for i in range(len(table))]
            "".join(classes).encode()
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
            raise RawDataError(
                f"{path} is no table of labels, each with its number from 0 "
                f"({type(e).__name__}: {e}). Download it again."
            ) from None
        return classes

    def clips(self) -> list[encode.Clip]:
        labels = {name: i for i, name in enumerate(self.classes)}
        listed = [
            (name, label, split, path)
            for split, word in LISTS.items()
            for path in [self._list(word)]
            for name, label in _entries(path)
        ]
        for name, label, _, path in listed:
            if label not in labels:
                raise RawDataError(
                    f"{path}: the label {label!r} of {name} is not in "
                    f"{self._list('labels')}. Download both lists again."
                )
        self._check_once(listed)
        there = self._find_clips({name for name, *_ in listed})
        return sorted(
            (
                encode.Clip(
                    name=name,
                    label=labels[label],
                    paths={"rgb": there[name]},
                    splits={PROTOCOL: split},
                )
                for name, label, split, _ in listed
            ),
            key=lambda clip: clip.name,
        )

    def _check_once(self, listed: list[tuple[str, str, str, Path]]) -> None:
        places: dict[str, Path] = {}
        for name, _, _, path in listed:
            if name in places:
                raise RawDataError(
                    f"{path}: the clip {name} is in {places[name]}"
                    f"{' already' if places[name] == path else ', too'}. Download the "
                    "lists again."
                )
            places[name] = path

    def _find_clips(self, names: set[str]) -> dict[str, Path]:
        """The folder or video of each clip; where it should be, if there is none."""
        best: dict[str, Path] = {}
        # Only here and one folder down: there are millions of files below.
        for folder in (self.raw, *self._folders()):
            entries = {Path(name).stem: name for name in os.listdir(folder)}
            found = {name: folder / entries[name] for name in names & entries.keys()}
            best = max(best, found, key=len)
        if not best:
            raise RawDataError(
                f"None of the {len(names)} listed clips is in {self.raw} or in a "
                f"folder of it. {self._howto()}"
            )
        folder = next(iter(best.values())).parent
        return {name: best.get(name, folder / name) for name in names}

    def _folders(self) -> list[Path]:
        return sorted(path for path in self.raw.iterdir() if path.is_dir())

    def _list(self, word: str) -> Path:
        """The one list whose name has this word in it, here or one folder down."""
        if not self.raw.is_dir():
            raise RawDataError(f"The folder {self.raw} does not exist. {self._howto()}")
        patterns = [f"*{word}*.{end}" for end in ("csv", "json")]
        found = [path for p in patterns for path in sorted(self.raw.glob(p))]
        found += [
            path
            for folder in self._folders()
            if not folder.name.isdigit()  # a clip
            for p in patterns
            for path in sorted(folder.glob(p))
        ]
        if not found:
            raise RawDataError(
                f"There is no list *{word}*.csv or .json in {self.raw}. {self._howto()}"
            )
        return found[0]

    def _howto(self) -> str:
        return howto.text(self.name, "DATA")


def _plain(label: str) -> str:
    """A template without the brackets around what stands for an object."""
    return label.replace("[", "").replace("]", "").strip()


def _checked(name: str) -> str:
    """A clip's id, which is the name of its file or folder, too."""
    if not _ID.fullmatch(name):
        raise ValueError(f"{name[:50]!r} is no id of a clip")
    return name


def _entries(path: Path) -> Iterator[tuple[str, str]]:
    """Yields name and label of every line of a list."""
    try:
        if path.suffix == ".json":
            for entry in json.loads(path.read_text(encoding="utf-8")):
                yield (
                    _checked(str(entry["id"])),
                    _plain(entry.get("template") or entry["label"]),
                )
            return
        with path.open(newline="", encoding="utf-8-sig") as file:
            for row in csv.reader(file, delimiter=";"):
                if row:
                    yield _checked(row[0].strip()), _plain(row[1])
    except (
        *(ValueError, KeyError, IndexError, TypeError, AttributeError),
        *(RecursionError, csv.Error),
    ) as error:
        raise RawDataError(
            f"{path} is no list of Something-Something ({type(error).__name__}: "
            f"{error}). Download it again."
        ) from None
