"""From a clip's raw file to what is stored of it: one function a kind of file.

`input_pipeline.streams` names them; all have the same form. ``path``: the file, or the
folder of frames; ``stream``: which one it is; ``options``: how videos are stored. They
raise `UnusableFile` if the file cannot become part of a record.
"""

from pathlib import Path

from input_pipeline import records
from input_pipeline.formats.depth import read_depth
from input_pipeline.formats.frames import read_frames
from input_pipeline.formats.skeleton import read_skeleton
from input_pipeline.formats.video import VideoOptions, read_video


def images(path: Path, stream: str, options: VideoOptions) -> records.Video:
    """Reads a video file or a folder of numbered images."""
    return (read_frames if path.is_dir() else read_video)(path, stream, options)


def depth(path: Path, stream: str, options: VideoOptions) -> records.Video:
    """Reads a folder of 16-bit PNG images, in millimetres."""
    del stream
    return read_depth(path, options)


def skeleton(path: Path, stream: str, options: VideoOptions) -> records.Skeleton:
    """Reads a skeleton file: `.skeleton`, array or CSV."""
    del stream
    return read_skeleton(path, options.min_frames)
