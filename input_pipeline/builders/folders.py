"""A folder a class, as Kinetics and its subsets are kept: SPLIT/CLASS/VIDEO.

SPLIT is train, val or test (or a usual other word for it). Where there is no test
folder the validation set is the split "test": that is how Kinetics is reported. A video
may be a folder of images. Lists of a split, beside its folder, say which videos belong
to it (see `lists`): those that are not there are failures, others are left out.
"""

from collections import Counter
from pathlib import Path
from typing import Any

from input_pipeline import encode, records
from input_pipeline.builders import files, lists
from input_pipeline.builders.base import ClipBuilder, RawDataError
from input_pipeline.builders.clips import check_name

PROTOCOL = "folders"
WORDS = {
    "train": ("train", "training", "train_256", "kinetics400_train"),
    "val": ("val", "valid", "validation", "val_256", "kinetics400_val"),
    "test": ("test", "testing", "test_256", "kinetics400_test"),
}
# In a list's name.
LIST_WORDS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "validate"),
    "test": ("test", "testing"),
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
        self._passed_over: Counter[str] = Counter()
        self._unlisted: Counter[str] = Counter()
        self._alike: list[str] = []
        super().__init__(raw=raw, options=options, **kwargs)
        self._original_state |= {"name": name}

    @property
    def classes(self) -> list[str]:
        names = {
            files.clean(path.name)
            for folder in self._splits().values()
            for path in folder.iterdir()
            if path.is_dir() and not path.name.startswith(".")
        }
        there = {lists.class_of(name) for name in names}
        listed = (e.label for entries in self._lists().values() for e in entries)
        missing = {
            lists.class_of(label): files.clean(label)
            for label in listed
            if label and lists.class_of(label) not in there
        }
        return sorted(names | set(missing.values()))

    def clips(self) -> list[encode.Clip]:
        classes = self.classes
        labels = {name: i for i, name in enumerate(classes)}
        every_list = self._lists()
        self._passed_over.clear()
        self._unlisted.clear()
        self._alike.clear()
        clips: dict[str, encode.Clip] = {}
        for split, folder in self._splits().items():
            paths, others = files.survey(folder)
            self._passed_over += others
            listed = every_list.get(split)
            wanted = {lists.video_of(e.video) for e in listed or ()}
            there = set()
            for path in paths:
                inner = path.relative_to(folder)
                label = files.clean(inner.parts[0])
                if label not in labels or len(inner.parts) < 2:
                    raise RawDataError(
                        f"{path} lies in no class's folder; expected is "
                        "SPLIT/CLASS/VIDEO."
                    )
                video = lists.video_of(path.name)
                there.add(video)
                if listed is not None and video not in wanted:
                    self._unlisted[split] += 1
                    continue
                # A video may be in two splits, and is then two clips.
                short = inner if path.is_dir() else inner.with_suffix("")
                name = files.clean(f"{split}/{short.as_posix()}")
                if name in clips:  # but for its ending
                    self._alike.append(name)
                    name = files.clean(f"{split}/{inner.as_posix()}")
                splits = {PROTOCOL: split}
                clips[name] = encode.Clip(name, labels[label], {"rgb": path}, splits)
            for entry in listed or ():
                if lists.video_of(entry.video) not in there:
                    clip = _missing(entry, split, folder, classes)
                    clips[clip.name] = clip
        if not clips:
            raise RawDataError(
                f"There is no video in {self.raw}/SPLIT/CLASS; endings known are "
                f"{', '.join(files.VIDEO_ENDINGS)}.{self._others()}"
            )
        return [clips[name] for name in sorted(clips)]

    def excluded(self) -> dict[str, int]:
        return {f"not in the list of {s}": n for s, n in self._unlisted.items()}

    def warnings(self) -> list[str]:
        """Files passed over in ``clips``, and folders that are no split."""
        lines = [self._others().strip()] if self._passed_over else []
        if self._alike:
            lines.append(
                f"{len(self._alike)} clips are called as another one but for the "
                f"ending, as {self._alike[0]}: keep one of them if they are the same."
            )
        used = {path.name for path in self._splits().values()}
        unused = [path.name for path in self._folders() if path.name not in used]
        if unused:
            lines.append(
                f"Folders that are no split are passed over: {', '.join(unused)}."
            )
        return lines

    def _others(self) -> str:
        if not self._passed_over:
            return ""
        order = sorted(self._passed_over.items(), key=lambda item: (-item[1], item[0]))
        counts = ", ".join(f"{n} {end}" for end, n in order)
        return (
            f" Files in the classes' folders are passed over ({counts}); read are "
            f"{', '.join(files.VIDEO_ENDINGS)} and folders of "
            f"{', '.join(files.IMAGE_ENDINGS)}."
        )

    def _folders(self) -> list[Path]:
        if not self.raw.is_dir():
            raise RawDataError(f"The folder {self.raw} does not exist.")
        return sorted(
            path
            for path in self.raw.iterdir()
            if path.is_dir() and not path.name.startswith(".")
        )

    def _splits(self) -> dict[str, Path]:
        """The folder of each split that there is."""
        there = self._folders()
        found: dict[str, Path] = {}
        for split, words in WORDS.items():
            of_split = [path for path in there if path.name.lower() in words]
            if len(of_split) > 1:
                raise RawDataError(
                    f"{self.raw} has several folders of the split {split}: "
                    f"{', '.join(path.name for path in of_split)}. Keep one there."
                )
            if of_split:
                found[split] = of_split[0]
        if "test" not in found and "val" in found:
            found["test"] = found.pop("val")
        if "train" not in found and "test" not in found:
            names = ", ".join(path.name for path in there)
            raise RawDataError(
                f"{self.raw} has the folders {names or 'none'}; expected are train and "
                "val (or test), and a folder a class in each."
            )
        return found

    def _lists(self) -> dict[str, list[lists.Listed]]:
        """What is listed of each split that has a list and a folder."""
        folders, found = self._splits(), {}
        for split, words in LIST_WORDS.items():
            paths = lists.find(self.raw, words)
            # Without a test folder the validation set is the split "test".
            stands_for = "test" if split == "val" and "val" not in folders else split
            if paths and stands_for in folders and stands_for not in found:
                found[stands_for] = [e for path in paths for e in lists.read(path)]
        return found


def _missing(
    entry: lists.Listed, split: str, folder: Path, classes: list[str]
) -> encode.Clip:
    """A clip of a list that is not on the disk: it goes to failed.csv."""
    same = lists.class_of(entry.label)
    name = next((n for n in classes if same and lists.class_of(n) == same), "")
    path = folder / (name or "CLASS") / entry.video
    label = classes.index(name) if name else records.UNKNOWN
    key = files.clean(f"{split}/{name or 'listed'}/{lists.video_of(entry.video)}")
    return encode.Clip(key, label, {"rgb": path}, {PROTOCOL: split})
