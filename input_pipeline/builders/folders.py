"""A folder a class, as Kinetics and its subsets are kept: SPLIT/CLASS/VIDEO.

SPLIT is train, val or test (or a usual other word for it). Where there is no test
folder the validation set is the split "test": that is how Kinetics is reported.
"""

from pathlib import Path
from typing import Any

from input_pipeline import encode
from input_pipeline.builders import files
from input_pipeline.builders.base import ClipBuilder, RawDataError
from input_pipeline.builders.clips import check_name

PROTOCOL = "folders"
WORDS = {
    "train": ("train", "training", "train_256", "kinetics400_train"),
    "val": ("val", "valid", "validation", "val_256", "kinetics400_val"),
    "test": ("test", "testing", "test_256", "kinetics400_test"),
}


class Folders(ClipBuilder):
    """Videos in one folder a split and, in it, one a class."""

    protocols = (PROTOCOL,)

    def __init__(
        self,
        *,
        raw: Path | str,
        options: encode.EncodeOptions,
        name: str = "folders",
        **kwargs: Any,
    ):
        """Take the videos below ``raw`` as the data set ``name``."""
        check_name(name)
        self.name = name
        super().__init__(raw=raw, options=options, **kwargs)
        self._original_state |= {"name": name}

    @property
    def classes(self) -> list[str]:
        names = {
            path.name
            for folder in self._splits().values()
            for path in folder.iterdir()
            if path.is_dir() and not path.name.startswith(".")
        }
        return sorted(map(files.clean, names))

    def clips(self) -> list[encode.Clip]:
        folders = self._splits()
        classes = {name: i for i, name in enumerate(self.classes)}
        clips = []
        for split, folder in folders.items():
            for path in files.video_files(folder):
                label = files.clean(path.relative_to(folder).parts[0])
                if label not in classes:
                    raise RawDataError(
                        f"{path} lies in no class's folder; expected is "
                        "SPLIT/CLASS/VIDEO."
                    )
                inner = path.relative_to(folder).with_suffix("")
                # A video may be in two splits, and is then two clips.
                name = files.clean(f"{split}/{inner.as_posix()}")
                clips.append(
                    encode.Clip(name, classes[label], {"rgb": path}, {PROTOCOL: split})
                )
        if not clips:
            raise RawDataError(
                f"There is no video in {self.raw}/SPLIT/CLASS; endings known are "
                f"{', '.join(files.VIDEO_ENDINGS)}."
            )
        return sorted(clips, key=lambda clip: clip.name)

    def _splits(self) -> dict[str, Path]:
        """The folder of each split that there is."""
        if not self.raw.is_dir():
            raise RawDataError(f"The folder {self.raw} does not exist.")
        there = {
            path.name.lower(): path for path in self.raw.iterdir() if path.is_dir()
        }
        found = {
            split: there[word]
            for split, words in WORDS.items()
            for word in words
            if word in there
        }
        if "test" not in found and "val" in found:
            found["test"] = found.pop("val")
        if "train" not in found and "test" not in found:
            raise RawDataError(
                f"{self.raw} has the folders {', '.join(sorted(there)) or 'none'}; "
                "expected are train and val (or test), and a folder a class in each."
            )
        return found
