"""From a clip's raw file to what is stored of it: two functions a kind of file.

`input_pipeline.streams` names the first, NAME; all have the same form. ``path``: the
file, or the folder of frames; ``stream``: which one it is; ``options``: how videos are
stored; ``part``: of a recording only the frames from one number to before another.
NAME_times says of a recording how many frames it has and, where the file tells, when
they begin and the last one ends (int64 [t + 1] us of its own clock); ``size``: width
and height of frames, where the file does not say them. They raise `UnusableFile` if the
file cannot become part of a record.
"""

from pathlib import Path

import numpy as np

from input_pipeline import records
from input_pipeline.formats import depth as depths
from input_pipeline.formats import frames, seeking
from input_pipeline.formats.series import is_series, read_series, series_times
from input_pipeline.formats.skeleton import count_frames, read_skeleton
from input_pipeline.formats.video import FrameRange, VideoOptions, read_video

Times = tuple[int, np.ndarray | None]
Size = tuple[int, int] | None


def images(
    path: Path, stream: str, options: VideoOptions, part: FrameRange | None = None
) -> records.Video:
    """Reads a video file, a folder of numbered images, or a file of values."""
    if is_series(path):
        return read_series(path, stream, options, part)
    read = frames.read_frames if path.is_dir() else read_video
    return read(path, stream, options, part)


def images_times(path: Path, size: Size = None) -> Times:
    """Returns the times of a video file or a table, or of the names of images."""
    if is_series(path):
        return series_times(path, size)
    if path.is_dir():
        return frames.times_of(frames.list_files(path))
    found = seeking.index(path)
    return found.count, found.times


def depth(
    path: Path, stream: str, options: VideoOptions, part: FrameRange | None = None
) -> records.Video:
    """Reads a folder of 16-bit PNG images, in millimetres."""
    del stream
    return depths.read_depth(path, options, part)


def depth_times(path: Path, size: Size = None) -> Times:
    """Returns what the names of the images tell."""
    del size  # the images say it
    return frames.times_of(depths.list_files(path))


def skeleton(
    path: Path, stream: str, options: VideoOptions, part: FrameRange | None = None
) -> records.Skeleton:
    """Reads a skeleton file: `.skeleton`, array or CSV."""
    del stream
    return read_skeleton(path, options.min_frames, part)


def skeleton_times(path: Path, size: Size = None) -> Times:
    """Returns the number of frames: skeleton files have no times that are read."""
    del size
    return count_frames(path), None
