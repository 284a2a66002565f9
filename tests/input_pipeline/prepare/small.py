"""A small data set that the tests of preparation share: ten clips, three shards."""

from pathlib import Path

from input_pipeline.builders.ntu import Ntu60
from input_pipeline.encode import EncodeOptions
from input_pipeline.formats.video import VideoOptions
from input_pipeline.prepare.__main__ import prepare

CLIPS, SHARDS = 10, 3


class Broken(BaseException):
    """Ends the work at a place where nobody catches it, as a kill would."""


def run(raw_dir: Path, out: Path, **options) -> Path:
    video = VideoOptions(short_side=16)
    builder = Ntu60(raw=raw_dir, options=EncodeOptions(video=video), data_dir=out)
    return prepare(builder, out, **({"shards": SHARDS, "workers": 1} | options))


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
