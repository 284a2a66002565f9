"""NTU RGB+D 60 and 120, read from the unzipped files as they are distributed."""

import contextlib
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from input_pipeline import encode, howto, joints, lenses
from input_pipeline.builders.base import ClipBuilder, RawDataError
from input_pipeline.builders.files import walk
from input_pipeline.formats import ntu
from input_pipeline.streams import of_kind

DATA = Path(__file__).parent / "data"
# Folder and end of a file's name, by stream.
FILES = {
    "rgb": ("nturgb+d_rgb", "_rgb.avi"),
    "ir": ("nturgb+d_ir", "_ir.avi"),
    "skeleton": ("nturgb+d_skeletons", ".skeleton"),
    "depth": ("nturgb+d_depth_masked", ""),
}
# Streams whose clip is a folder, named as the clip, of frames that are named so.
FRAMES = {"depth": "MDepth-"}
# Subjects that MFAS, MMTM and MSAF take out of cross-subject's training half to choose
# between models.
DEV_SUBJECTS = frozenset((2, 5, 9, 14))
# What the .skeleton files' pixels are of: height and width of Kinect v2's images.
PIXELS = {"rgb": (1080, 1920), "ir": (424, 512), "depth": (424, 512)}
# Behind a protocol's name: the same on all clips, of which some have no skeleton.
VIDEOS = "_videos"
# Files of which a camera's lens is fitted.
LENS_FILES = 8


class NtuLayout(ClipBuilder):
    """Data in NTU's file names and folders. Subclasses say which classes and splits."""

    # 60 or 120: which of the two cross-subject lists holds.
    ntu_classes = 60
    # How many there are in the whole set; 0: any number is whole.
    official_clips = 0

    def find_files(self) -> dict[str, dict[str, Path]]:
        """Find the files of each wanted stream by clip name, anywhere below ``raw``.

        Raises RawDataError if ``raw`` or a stream is missing, or a clip is there twice.
        """
        if not self.raw.is_dir():
            raise RawDataError(f"The folder {self.raw} does not exist. {self._howto()}")
        files: dict[str, dict[str, Path]] = {s: {} for s in self.options.streams}
        for folder, _, names in walk(self.raw):
            for stream in files.keys() & FRAMES.keys():
                if any(name.startswith(FRAMES[stream]) for name in names):
                    self._add(files[stream], folder)
            for name in names:
                for stream, found in files.items():
                    if stream not in FRAMES and name.endswith(FILES[stream][1]):
                        self._add(found, folder / name)
        for stream, found in files.items():
            if not found:
                raise RawDataError(
                    f"There is no {_pattern(stream)} in {self.raw} or below. Leave "
                    f"{stream} out of --streams, or get it. {self._howto()}"
                )
        return files

    def wanted(self, name: ntu.NtuName) -> bool:
        """Whether a clip whose files are there belongs to this data set."""
        return (
            name.action <= len(self.classes)
            and name.setup <= ntu.NUM_SETUPS[self.ntu_classes]
        )

    def splits(self, name: ntu.NtuName, has_skeleton: bool = True) -> Mapping[str, str]:
        """Split of a clip in each protocol; without a skeleton in those of videos."""
        splits = {}
        for protocol in self.protocols:
            if not has_skeleton and not protocol.endswith(VIDEOS):
                continue
            official = protocol.removesuffix(VIDEOS).removesuffix("_dev")
            train = ntu.is_training(name, official, self.ntu_classes)
            splits[protocol] = "train" if train else "test"
            if train and "_dev" in protocol and name.subject in DEV_SUBJECTS:
                splits[protocol] = "val"
        return splits

    def missing_skeletons(self) -> frozenset[str]:
        """Names of clips whose skeletons are unusable.

        They are stored without one, for the protocols of videos; where skeletons alone
        are stored they are left out.
        """
        return frozenset()

    def excluded(self) -> dict[str, int]:
        left_out = len(self._left_out)
        return {"listed as without skeleton": left_out} if left_out else {}

    def warnings(self) -> list[str]:
        files, _ = self._listed
        count = len({name for found in files.values() for name in found})
        if count == (self.official_clips or count):
            return []
        return [
            f"{count:,} clips are here, of {self.official_clips:,} in {self.name}: "
            "results are not comparable with those of the whole set."
        ]

    def clips(self) -> list[encode.Clip]:
        files, _ = self._listed
        names = {name for found in files.values() for name in found} - self._left_out
        if not names:
            raise RawDataError(
                f"None of the files in {self.raw} belongs to {self.name}. "
                f"{self._howto()}"
            )
        return [self._clip(name, files) for name in sorted(names)]

    def _clip(self, name: str, files: dict[str, dict[str, Path]]) -> encode.Clip:
        parsed = ntu.parse_name(name)
        has_skeleton = name not in self._listed[1]
        # A file that is not there is looked for where it should be, and reported.
        paths = {
            stream: found.get(name) or self.raw / FILES[stream][0] / f"{name}{end}"
            for stream, found in files.items()
            for end in (FILES[stream][1],)
            if has_skeleton or stream != "skeleton"
        }
        return encode.Clip(
            name=name,
            label=parsed.action - 1,
            paths=paths | self.extra_paths(name),
            splits=self.splits(parsed, has_skeleton),
            subject=parsed.subject,
            camera=parsed.camera,
            setup=parsed.setup,
            replication=parsed.replication,
        )

    def layout(self, count: int) -> joints.Layout | None:
        """Kinect v2's, whatever ``count``."""
        return joints.LAYOUTS["kinect_v2"]

    def pixels(self, stream: str) -> tuple[int, int] | None:
        """Height and width of the images in whose pixels the joints are given."""
        return PIXELS[stream]

    def lenses(self, clips: Sequence[encode.Clip]) -> dict[str, Any]:
        """Each camera's lenses, from what some of its files say of joints' pixels."""
        found: dict[str, Any] = {}
        for camera in sorted({clip.camera for clip in clips}):
            bodies = _some_bodies([clip for clip in clips if clip.camera == camera])
            for stream in of_kind("video", self.options.streams):
                size = self.pixels(stream)
                if not size or not bodies:
                    continue
                points, seen = _joints(bodies, stream)
                lens = lenses.fit(points, seen / size[::-1])
                if lens is not None:
                    found.setdefault(str(camera), {})[stream] = lens.tolist()
        return found

    def extra_paths(self, name: str) -> dict[str, Path]:
        """Files of a clip that are no stream."""
        return {}

    @functools.cached_property
    def _listed(self) -> tuple[dict[str, dict[str, Path]], set[str]]:
        """The files, and the clips whose skeletons are wanted and unusable."""
        files = {
            stream: {n: p for n, p in found.items() if self.wanted(ntu.parse_name(n))}
            for stream, found in self.find_files().items()
        }
        without: set[str] = set()
        if "skeleton" in self.options.streams:
            names = {name for found in files.values() for name in found}
            without = names & self.missing_skeletons()
        return files, without

    @property
    def _left_out(self) -> set[str]:
        """Clips of which nothing is stored."""
        return self._listed[1] if self.options.streams == ("skeleton",) else set()

    def _add(self, found: dict[str, Path], path: Path) -> None:
        try:
            name = str(ntu.parse_name(path.name))
        except ValueError as error:
            raise RawDataError(
                f"{path}: {error} Move files that are not NTU RGB+D's elsewhere."
            ) from None
        if name in found:
            raise RawDataError(
                f"The clip {name} is there twice: {found[name]} and {path}. Delete or "
                "move one of them."
            )
        found[name] = path

    def _howto(self) -> str:
        return howto.text(self.name, "DATA")


class Ntu60(NtuLayout):
    """NTU RGB+D: 60 actions, 40 subjects, 56,880 clips of three Kinect v2 sensors.

    Shahroudy et al., CVPR 2016. The videos, infrared videos and skeletons of a clip
    were recorded together but the sensors are not registered.
    """

    name = "ntu60"
    protocols: tuple[str, ...] = (
        *("xview", "xsub", "xsub_dev"),
        *("xview_videos", "xsub_videos", "xsub_dev_videos"),
    )
    official_clips = 56_880

    @property
    def classes(self) -> list[str]:
        return (DATA / "ntu_classes.txt").read_text().splitlines()[: self.ntu_classes]

    def missing_skeletons(self) -> frozenset[str]:
        file = f"ntu{self.ntu_classes}_missing_skeletons.txt"
        return frozenset((DATA / file).read_text().split())


class Ntu120(Ntu60):
    """NTU RGB+D 120: 120 actions, 106 subjects, 114,480 clips; it includes the 60.

    Liu et al., TPAMI 2019.
    """

    name = "ntu120"
    protocols = ("xsub", "xset", "xsub_videos", "xset_videos")
    ntu_classes = 120
    official_clips = 114_480


def _pattern(stream: str) -> str:
    return f"{FRAMES[stream]}*.png" if stream in FRAMES else f"*{FILES[stream][1]}"


def _some_bodies(clips: Sequence[encode.Clip]) -> list[ntu.Skeletons]:
    """The first few skeleton files that can be read."""
    found: list[ntu.Skeletons] = []
    for clip in clips:
        if len(found) == LENS_FILES:
            break
        with contextlib.suppress(OSError, ntu.SkeletonError):
            found.append(ntu.read_skeleton(clip.paths["skeleton"]))
    return found


def _joints(
    bodies: Sequence[ntu.Skeletons], stream: str
) -> tuple[np.ndarray, np.ndarray]:
    """All joints as metres [n 3] and as pixels of a stream's image [n 2]."""
    points = [b.points[b.present] for b in bodies]
    field = "color_xy" if stream == "rgb" else "depth_xy"
    pixels = [getattr(b, field)[b.present] for b in bodies]
    return (
        np.concatenate(points).reshape(-1, 3),
        np.concatenate(pixels).reshape(-1, 2),
    )
