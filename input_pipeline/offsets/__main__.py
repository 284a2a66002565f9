"""``python -m input_pipeline.offsets``: by how much the clocks of two streams differ.

python -m input_pipeline.offsets --rgb a.mp4 --ir b.mkv --out evidence
python -m input_pipeline.offsets --manifest clips.csv --out evidence

Finds when something moves in each stream, and the offset at which both agree best: what
a manifest's column STREAM_offset holds. With ir_offset 2.7 the infrared camera was
started 2.7 s after the first stream: its second 10 is the recording's second 12.7.
Writes a picture of the evidence for each pair (SVG, for any browser). Ends with 1 if
one of them cannot be told.
"""

import argparse
import sys
from pathlib import Path

from input_pipeline import leaving
from input_pipeline.builders import clips
from input_pipeline.builders.base import RawDataError
from input_pipeline.encode import Clip, EncodeOptions
from input_pipeline.formats.errors import UnusableFile
from input_pipeline.formats.video import SizeError, parse_sizes
from input_pipeline.offsets import correlation, motion, picture
from input_pipeline.recordings import Clock
from input_pipeline.streams import STORED

# Thirds that differ by more have clocks that run differently.
DRIFT = 0.1

Files = dict[str, tuple[Path, float]]  # of a recording, with their rates
Sizes = dict[str, tuple[int, int]]


def compare(
    files: Files, within: float, out: Path, name: str, sizes: Sizes | None = None
) -> bool:
    """Print the offset of each stream to the first one; whether all can be told.

    ``sizes``: width and height of frames, by stream, of files that do not say them.
    Raises UnusableFile where a file cannot be read.
    """
    sizes = sizes or {}
    first, *others = files
    path, rate = files[first]
    base, sure = motion.of_file(path, first, rate, sizes.get(first)), True
    for stream in others:
        other, rate = files[stream]
        try:
            moves = motion.of_file(other, stream, rate, sizes.get(stream))
            found = correlation.propose(base, moves, within)
        except motion.NoMotion as error:
            print(f"{path.name}, {other.name}: cannot tell: {error}.")
            sure = False
            continue
        said = f"{stream}_offset {found.offset:.2f}"
        if found.doubt:
            said, sure = f"cannot tell: {found.doubt}", False
        shown = out / f"{name}_{stream}.svg"
        names = path.name, other.name
        text = picture.draw(base, moves, names, found, f"{path.name}: {said}")
        out.mkdir(parents=True, exist_ok=True)
        shown.write_text(text, encoding="utf-8")
        print(f"{path.name}, {other.name}: {said} (see {shown})")
        drift = max(found.thirds, default=0.0) - min(found.thirds, default=0.0)
        if not found.doubt and drift > DRIFT:
            each = ", ".join(f"{offset:.2f}" for offset in found.thirds)
            print(
                f"  In each third of the time it is {each} s: the clocks run at "
                f"different speeds. Correct {stream}_rate, or give each part its own "
                "offset."
            )
    return sure


def of_manifest(path: Path, allow_outside: bool) -> dict[str, Files]:
    """Return the recordings of a manifest that have several streams, by a name.

    Raises RawDataError as preparing it would.
    """
    options = EncodeOptions(streams=clips.manifest_streams(path))
    builder = clips.Clips(
        raw=path, options=options, data_dir=path.parent, allow_outside=allow_outside
    )
    found: dict[tuple[Path, ...], Files] = {}
    for clip in builder.clips():
        if len(clip.paths) > 1:
            files = {s: (clip.paths[s], _rate(clip, s)) for s in clip.paths}
            found.setdefault(tuple(clip.paths.values()), files)
    if not found:
        raise RawDataError(f"No line of {path} has two streams to compare.")
    return {f"{i:03d}": files for i, files in enumerate(found.values())}


def _rate(clip: Clip, stream: str) -> float:
    return clip.part.clock(stream).rate if clip.part else Clock().rate


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m input_pipeline.offsets",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--manifest", type=Path, help="every recording of a manifest")
    parser.add_argument("--allow_outside", action="store_true", help="as in prepare")
    for stream in STORED:
        parser.add_argument(
            f"--{stream}", type=Path, help=f"file of the {stream} stream"
        )
        about = "its frames per second, where the file does not say"
        parser.add_argument(f"--{stream}_rate", type=float, default=0.0, help=about)
    about = "STREAM=WIDTHxHEIGHT,... of files that do not say it, as in prepare"
    parser.add_argument("--frame_size", default="", help=about)
    about = "largest offset that is tried, in seconds (%(default)g)"
    within = correlation.WITHIN
    parser.add_argument("--within", type=float, default=within, help=about)
    parser.add_argument(
        "--out", type=Path, default=Path("offsets"), help="for pictures"
    )
    return parser


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    given = _parser().parse_args(arguments)
    files: Files = {}
    for stream in STORED:
        path, rate = getattr(given, stream), getattr(given, f"{stream}_rate")
        if path is not None:
            files[stream] = path, rate
        if rate < 0:
            leaving.die(f"--{stream}_rate is {rate:g}; expected more than 0.")
    if not given.within > 0:
        leaving.die(f"--within is {given.within:g}; expected seconds, more than 0.")
    if (given.manifest is None) == (not files) or len(files) == 1:
        leaving.die(
            "Give files of two streams, as --rgb a.mp4 --ir b.mkv, or a --manifest."
        )
    sure = True
    try:
        sizes = parse_sizes(given.frame_size)
        every = {"recording": files}
        if given.manifest is not None:
            every = of_manifest(given.manifest, given.allow_outside)
        for name, recording in every.items():
            try:
                sure &= compare(recording, given.within, given.out, name, sizes)
            except (UnusableFile, motion.NoMotion) as error:
                paths = ", ".join(str(path) for path, _ in recording.values())
                if given.manifest is None:
                    leaving.die(f"{paths}: {error}.")
                print(f"{paths}: {error}.")
                sure = False
    except (RawDataError, SizeError, OSError) as error:
        leaving.die(error)
    if not sure:
        sys.exit(1)


if __name__ == "__main__":
    main()
