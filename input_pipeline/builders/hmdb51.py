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
                of_clip = splits.setdefault((label, file.strip()), {})
                if code in _CODES:
                    of_clip[protocol] = _CODES[code]
        clips = {}
        for path in files.video_files(self.raw):
            label = path.parent.name
            if label not in classes:
                continue
            name = files.clean(f"{label}/{path.stem}")
            clips[name] = encode.Clip(
                name=name,
                label=classes.index(label),
                paths={"rgb": path},
                splits=splits.get((label, path.name), {}),
            )
        if not clips:
            raise RawDataError(
                f"There is no CLASS/*.avi in {self.raw} or below. {self._howto()}"
            )
        return [clips[name] for name in sorted(clips)]

    def _lists(self) -> dict[tuple[str, str], Path]:
        """The file of each class and protocol."""
        found = {}
        for path in files.find(self.raw, "*_test_split?.txt", self._howto()):
            if parsed := _LIST.fullmatch(path.name):
                found[parsed["label"], f"split{parsed['number']}"] = path
        return found

    def _howto(self) -> str:
        return howto.text(self.name, "DATA")
