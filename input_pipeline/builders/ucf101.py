"""UCF101, read from the unpacked files as they are distributed.

tensorflow-datasets has a builder of this name, which downloads and turns every frame
into an array with an ffmpeg of the system; here frames are stored as JPEG images, with
the other data sets' records, and all three splits in one preparation.
"""

import functools
import re
from pathlib import Path

from input_pipeline import encode, howto
from input_pipeline.builders import files
from input_pipeline.builders.base import ClipBuilder, RawDataError

# v_ApplyEyeMakeup_g08_c01.avi: class, group (one long video), clip of it.
_NAME = re.compile(r"v_(?P<label>\w+)_g(?P<group>\d+)_c\d+", re.IGNORECASE)
SPLITS = ("split1", "split2", "split3")


class Ucf101(ClipBuilder):
    """UCF101: 13,320 clips of 101 classes, three official splits."""

    name = "ucf101"
    protocols = SPLITS

    @functools.cached_property
    def classes(self) -> list[str]:
        lines = files.read_lines(self._list("classInd.txt"))
        numbered = [line.split(maxsplit=1) for line in lines]
        if any(len(n) != 2 or n[0] != str(i) for i, n in enumerate(numbered, 1)):
            raise RawDataError(
                f"{self._list('classInd.txt')} should have a number, counted from 1, "
                "and a class in each line. Download it again."
            )
        return [name for _, name in numbered]

    def clips(self) -> list[encode.Clip]:
        labels = {name.lower(): i for i, name in enumerate(self.classes)}
        splits, listed = self._listed()
        clips: dict[str, encode.Clip] = {}
        for path in files.video_files(self.raw):
            parsed = _NAME.fullmatch(path.stem)
            # Folders are not asked: some copies have none, and one class is written
            # HandstandPushups in them and HandStandPushups in its files.
            label = labels.get(parsed["label"].lower()) if parsed else None
            if parsed is None or label is None:
                continue
            name = files.clean(path.stem)
            if name in clips:
                raise RawDataError(
                    f"The clip {name} is there twice: {clips[name].paths['rgb']} and "
                    f"{path}. Keep one of them."
                )
            clips[name] = encode.Clip(
                name=name,
                label=label,
                paths={"rgb": path},
                splits=splits.get(path.stem.lower(), {}),
                subject=int(parsed["group"]),
            )
            listed.pop(path.stem.lower(), None)
        if not clips:
            raise RawDataError(
                f"There is no v_*_g??_c??.avi in {self.raw} or below. {self._howto()}"
            )
        folders = {clip.label: clip.paths["rgb"].parent for clip in clips.values()}
        for stem, place in listed.items():
            clip = self._missing(place, labels, folders, splits[stem])
            clips[clip.name] = clip
        return [clips[name] for name in sorted(clips)]

    def _listed(self) -> tuple[dict[str, dict[str, str]], dict[str, Path]]:
        """Splits by protocol, and CLASS/FILE, of each listed clip's lower-case stem."""
        splits: dict[str, dict[str, str]] = {}
        places: dict[str, Path] = {}
        for number, protocol in enumerate(SPLITS, 1):
            for split in ("train", "test"):
                path = self._list(f"{split}list0{number}.txt")
                for line in files.read_lines(path):
                    place = Path(line.split()[0])
                    stem = place.stem.lower()
                    places[stem] = place
                    of_clip = splits.setdefault(stem, {})
                    if of_clip.setdefault(protocol, split) != split:
                        raise RawDataError(
                            f"{path}: {files.clean(place.name)} is in the other list "
                            f"of {protocol}, too. Download the lists again."
                        )
        return splits, places

    def _missing(
        self,
        place: Path,
        labels: dict[str, int],
        folders: dict[int, Path],
        splits: dict[str, str],
    ) -> encode.Clip:
        """A listed clip that is not on the disk: it goes to failed.csv."""
        parsed = _NAME.fullmatch(place.stem)
        label = labels.get(parsed["label"].lower()) if parsed else None
        if parsed is None or label is None:
            raise RawDataError(
                f"The lists name {files.clean(place.as_posix())!r}, which is no clip "
                "of a class in classInd.txt. Download the lists again."
            )
        return encode.Clip(
            name=files.clean(place.stem),
            label=label,
            paths={"rgb": folders.get(label, self.raw / place.parent) / place.name},
            splits=splits,
            subject=int(parsed["group"]),
        )

    def _list(self, name: str) -> Path:
        return files.find(self.raw, name, self._howto())[0]

    def _howto(self) -> str:
        return howto.text(self.name, "DATA")
