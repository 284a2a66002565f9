"""HMDB51, read from the unpacked files as they are distributed.

A split's list, ``CLASS_test_splitN.txt``, has ``FILE 1`` for a clip of the training
set, ``FILE 2`` for one of the test set and ``FILE 0`` for one of neither. File names
hold almost any character; some files' metadata is not UTF-8.
"""

import re
from pathlib import Path

from input_pipeline import encode, howto
from input_pipeline.builders import files
from input_pipeline.builders.base import ClipBuilder, RawDataError

_LIST = re.compile(r"(?P<label>\w+)_test_split(?P<number>[123])\.txt")
_CODES = {"1": "train", "2": "test"}
SPLITS = ("split1", "split2", "split3")


class Hmdb51(ClipBuilder):
    """HMDB51: 6,766 clips of 51 classes, three official splits (70 and 30 a class)."""

    name = "hmdb51"
    protocols = SPLITS

    @property
    def classes(self) -> list[str]:
        return sorted({label for label, _ in self._lists()})

    def clips(self) -> list[encode.Clip]:
        classes = self.classes
        splits = self._listed()
        clips: dict[str, encode.Clip] = {}
        left = dict(splits)
        for path in files.video_files(self.raw):
            label = path.parent.name
            if label not in classes:
                continue
            name = files.clean(f"{label}/{path.stem}")
            if name in clips:
                raise RawDataError(
                    f"The clip {name} is there twice: {clips[name].paths['rgb']} and "
                    f"{path}. Keep one of them."
                )
            left.pop((label, path.stem), None)
            clips[name] = encode.Clip(
                name=name,
                label=classes.index(label),
                paths={"rgb": path},
                splits=splits.get((label, path.stem), {}),
            )
        if not clips:
            raise RawDataError(
                f"There is no CLASS/*.avi in {self.raw} or below. {self._howto()}"
            )
        folders = {clip.label: clip.paths["rgb"].parent for clip in clips.values()}
        for (label, stem), of_clip in left.items():
            if of_clip:  # in some split, but not on the disk: it goes to failed.csv
                name, number = files.clean(f"{label}/{stem}"), classes.index(label)
                path = folders.get(number, self.raw / label) / f"{stem}.avi"
                clips[name] = encode.Clip(name, number, {"rgb": path}, of_clip)
        return [clips[name] for name in sorted(clips)]

    def _listed(self) -> dict[tuple[str, str], dict[str, str]]:
        """Splits by protocol of each listed clip, by class and name without ending."""
        splits: dict[tuple[str, str], dict[str, str]] = {}
        for (label, protocol), path in self._lists().items():
            for line in files.read_lines(path):
                # The name may hold blanks: the code is what stands behind the last.
                file, _, code = line.rpartition(" ")
                if code not in ("0", "1", "2"):
                    raise RawDataError(
                        f"{path}: the line {files.clean(line)!r} does not end in 0, 1 "
                        "or 2. Download the lists again."
                    )
                of_clip = splits.setdefault((label, Path(file.strip()).stem), {})
                if code in _CODES:
                    of_clip[protocol] = _CODES[code]
        return splits

    def _lists(self) -> dict[tuple[str, str], Path]:
        """The file of each class and protocol."""
        found = {}
        for path in files.find(self.raw, "*_test_split?.txt", self._howto()):
            if parsed := _LIST.fullmatch(path.name):
                found[parsed["label"], f"split{parsed['number']}"] = path
        for label in {label for label, _ in found}:
            for protocol in SPLITS:
                if (label, protocol) not in found:
                    raise RawDataError(
                        f"There is no {label}_test_{protocol}.txt in {self.raw} or "
                        f"below, but other lists of the class. {self._howto()}"
                    )
        return found

    def _howto(self) -> str:
        return howto.text(self.name, "DATA")
