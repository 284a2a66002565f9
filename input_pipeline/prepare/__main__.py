"""``python -m input_pipeline.prepare NAME``: raw files to a prepared data set.

Writes OUT/<name>/<version>/: shards of records, an index, and the facts about them,
readable by this project and by TensorFlow Datasets. Run again after an interruption,
it goes on where it stopped.
"""

import argparse
import errno
import os
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from input_pipeline import leaving
from input_pipeline.builders import SETS, load
from input_pipeline.config import DataConfig
from input_pipeline.dataset import PreparedDataset
from input_pipeline.encode import EncodeOptions
from input_pipeline.formats.levels import parse_scalings
from input_pipeline.formats.video import VideoOptions, parse_sizes
from input_pipeline.prepare import parallel
from input_pipeline.streams import STORED, of_kind

if TYPE_CHECKING:
    from input_pipeline.builders.base import ClipBuilder


def prepare(
    builder: "ClipBuilder",
    out: str | Path,
    *,
    shards: int = 0,
    workers: int = 0,
    max_failed: float = 0.01,
    beam: list[str] | None = None,
) -> Path:
    """Prepare a data set in <out>/<name>/<version>, or go on preparing it.

    ``shards`` 0: by the number of clips; ``workers`` 0: one a core; ``beam``: arguments
    of an Apache Beam pipeline that then does the writing. Returns the folder. Raises
    PrepareError or RawDataError, which say how to go on.
    """
    from tqdm import tqdm

    from input_pipeline.prepare import doubts, finish, plan
    from input_pipeline.prepare.shards import finished_table

    check_numbers(shards, workers, max_failed)
    folder = Path(out).absolute() / builder.name / str(builder.version)
    clips = builder.clips()
    plan.check_names(clips)
    odd = doubts.of_clips(builder.classes, clips, builder.options.streams)
    _warn([*builder.warnings(), *odd])
    jobs = plan.shard_jobs(builder, clips, folder, shards)
    planned = plan.plan(builder, jobs)
    with plan.lock(folder):
        if plan.adds_protocol(folder, planned, builder.protocols):
            finish.add_protocol(builder, folder, jobs)
            _warn(_of_splits(folder, builder.protocols))
            print(
                f"{folder} is prepared already; the protocol "
                f"{', '.join(builder.protocols)} is added, and no clip stored again."
            )
            return folder
        finished = plan.is_finished(folder)
        if not finished:  # before the folder is claimed: a manifest may be mended
            streams = builder.options.streams
            _warn(plan.check_there(folder, clips, streams, max_failed))
        plan.check_plan(folder, planned)
        if finished:
            if finish.correct_layout(builder, folder):
                print(f"{folder} is prepared already; its joint layout is corrected.")
                return folder
            print(
                f"{folder} is prepared already: nothing to do. (To try failed clips "
                "again, delete it first.)"
            )
            return folder
        plan.remove_parts(folder)
        tables = [finished_table(job) for job in jobs]
        todo = [job for job, table in zip(jobs, tables, strict=True) if table is None]
        remaining = sum(len(job.clips) for job in todo)
        _announce(builder, clips, jobs, remaining, folder)
        start = time.monotonic()
        with tqdm(total=len(clips), initial=len(clips) - remaining, unit="clip") as bar:
            limit = plan.FailureLimit(folder, len(clips), max_failed, bar.update)
            try:
                limit.take(tables)
                if beam is None:
                    cores = len(os.sched_getaffinity(0))
                    parallel.run_local(todo, workers or cores, limit)
                else:
                    parallel.run_beam(todo, beam)
                tables = [finished_table(job) for job in jobs]
                limit.take(tables)
            finally:
                plan.write_failed(folder, limit.failures)
        info = finish.finish(builder, jobs, folder, planned)
        _warn(doubts.of_files(folder, [table for table in tables if table]))
        _warn(_of_splits(folder, builder.protocols))
        _warn(doubts.of_scalings(builder.options.video.scalings, info["streams"]))
    seconds = max(time.monotonic() - start, 1e-9)
    size = sum(shard["bytes"] for shard in info["shards"])
    print(
        f"{info['num_clips']} clips of {len(info['classes'])} classes in "
        f"{len(jobs)} shards, {size / 1e6:.1f} MB ({remaining} clips in {seconds:.0f} "
        f"s, {remaining / seconds:.1f} clips/s). Failed: {info['failed']}. Clips by "
        f"protocol: {info['protocols']}."
    )
    for name in of_kind("joints", info["streams"]):
        skeletons = info["streams"][name]
        layout = skeletons["layout"] or "not known, so data.flip must be 0 in training"
        print(f"Skeletons of {skeletons['joints']} joints; their layout: {layout}.")
    print(f"The prepared data set is in {folder}.")
    return folder


def _of_splits(folder: Path, protocols: Sequence[str]) -> list[str]:
    """What will not hold of the protocols' splits; each sentence once."""
    from input_pipeline import split_doubts

    version, name = folder.name, folder.parent.name
    opened = PreparedDataset.open(folder.parent.parent, name, version)
    found = [
        f"protocol {protocol!r}: {text}" if len(protocols) > 1 else text
        for protocol in protocols
        for text in split_doubts.of(
            opened, DataConfig(protocol=protocol, allow_missing=True)
        )
    ]
    return found


def check_numbers(shards: int, workers: int, max_failed: float) -> None:
    """Raise PrepareError where a number of the command line cannot be meant."""
    from input_pipeline.prepare.plan import PrepareError

    for name, value, zero in (
        ("workers", workers, "one a core"),
        ("shards", shards, "by the number of clips"),
    ):
        if value < 0:
            raise PrepareError(f"{name} is {value}; expected 0 or more (0: {zero}).")
    if not 0 <= max_failed <= 1:
        raise PrepareError(
            f"max_failed is {max_failed:g}; expected a fraction of the clips, 0 to 1."
        )


def _warn(lines: list[str]) -> None:
    for line in lines:
        print(f"Warning: {line}")


def _announce(
    builder: "ClipBuilder", clips: list, jobs: list, remaining: int, folder: Path
) -> None:
    """Say what will be done and how large it gets; stop if the disk is too small."""
    from input_pipeline.prepare import plan

    print(
        f"{builder.name}: {len(clips)} clips ({', '.join(builder.options.streams)}) "
        f"into {len(jobs)} shards in {folder}; done so far: {len(clips) - remaining}."
    )
    for reason, count in builder.excluded().items():
        print(f"Left out, {reason}: {count} clips.")
    size = plan.estimate_bytes(builder, clips) if remaining else None
    if size is not None:
        left = size * remaining / len(clips)
        print(
            f"Expected size: {size / 1e6:.0f} MB ({size / len(clips) / 1e3:.0f} kB a "
            f"clip), {left / 1e6:.0f} MB of it still to be written."
        )
        plan.check_space(folder, left)


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    add = common.add_argument
    add("--out", required=True, help="folder of prepared data sets")
    add(
        "--streams", help=f"comma-separated, of {','.join(STORED)} (default: the set's)"
    )
    video = VideoOptions()

    def number(flag: str, value: float, about: str) -> None:
        add(flag, type=type(value), default=value, help=f"{about} (%(default)s)")

    number("--short_side", video.short_side, "pixels of a stored frame's shorter side")
    number("--quality", video.quality, "of the JPEG images, 1 to 95")
    number("--min_frames", video.min_frames, "fewest frames of a usable clip")
    add(
        "--scaling",
        default="",
        help="which values of more than 8 bits become 0 and 255: fixed:LOW:HIGH (raw "
        "values), recording:LOW:HIGH or frame:LOW:HIGH (percentiles), for all streams "
        "or as STREAM=...,STREAM=... (default: each file's lowest and highest)",
    )
    add(
        "--frame_size",
        default="",
        help="STREAM=WIDTHxHEIGHT,... of files that do not say it: raw 16-bit video, "
        "tables of values",
    )
    number("--shards", 0, "number of files; 0: by the number of clips")
    number("--workers", 0, "processes; 0: one a core")
    number("--max_failed", 0.01, "largest fraction of unusable clips")
    add(
        "--beam",
        nargs="?",
        const="",
        metavar="ARGUMENTS",
        help="write on Apache Beam, with these arguments of Beam (one string)",
    )
    parser = argparse.ArgumentParser(
        prog="python -m input_pipeline.prepare", description=__doc__
    )
    sets = parser.add_subparsers(dest="data", required=True, metavar="NAME")
    made = {
        name: sets.add_parser(
            name, help=a_set.about, description=a_set.about, parents=[common]
        )
        for name, a_set in SETS.items()
    }
    for name in SETS.keys() - {"clips", "synthetic"}:
        made[name].add_argument(
            "--raw", required=True, help="folder of the unpacked files"
        )
    made["synthetic"].add_argument(
        "--raw", help="folder of the staged files; staged if absent (OUT/synthetic_raw)"
    )
    clips = made["clips"]
    clips.add_argument("--manifest", required=True, help="the CSV file")
    for name in ("clips", "folders"):
        help_text = "of the data set (%(default)s)"
        made[name].add_argument("--name", default=name, help=help_text)
    clips.add_argument(
        "--layout",
        default="",
        help="which joint of the skeletons is which: kinect_v2, kinect_v1, coco, h36m, "
        "none, or a JSON file (default: by the number of joints, if one has as many)",
    )
    clips.add_argument(
        "--protocol",
        default="manifest",
        help="name of these splits (%(default)s); of a set that is prepared already "
        "another one adds them, and stores nothing twice",
    )
    clips.add_argument(
        "--allow_outside",
        action="store_true",
        help="paths may lead out of the manifest's folder",
    )
    return parser


def _builder(given: argparse.Namespace) -> "ClipBuilder":
    builder: Any = load(given.data)
    streams = SETS[given.data].streams
    if given.streams is not None:
        streams = tuple(s.strip() for s in given.streams.split(","))
    elif given.data == "clips":
        streams = _of_manifest(given)
    try:
        video = VideoOptions(
            given.short_side,
            given.quality,
            given.min_frames,
            parse_scalings(given.scaling),
            parse_sizes(given.frame_size),
        )
        options = EncodeOptions(streams=streams, video=video)
    except ValueError as error:
        leaving.die(error)
    own = ("name", "allow_outside", "layout", "protocol")
    more = {key: getattr(given, key) for key in own if hasattr(given, key)}
    raw = given.manifest if given.data == "clips" else given.raw
    if given.data == "synthetic":
        raw = _staged(given)
    return builder(raw=raw, options=options, data_dir=Path(given.out), **more)


def _of_manifest(given: argparse.Namespace) -> tuple[str, ...]:
    from input_pipeline.builders.clips import manifest_streams

    return manifest_streams(Path(given.manifest))


def _staged(given: argparse.Namespace) -> Path:
    """Returns the folder of the staged world; the usual one is staged if none is named.

    A folder that is named may be of any world, and misspelt: nothing is staged there.
    """
    from input_pipeline.builders.synthetic import WORLD_FILE

    raw = Path(given.raw or Path(given.out) / "synthetic_raw")
    if not given.raw and not (raw / WORLD_FILE).exists():
        from input_pipeline.synthetic import SyntheticConfig, generate

        print(f"There is no staged world in {raw}: staging it.")
        generate(raw, SyntheticConfig(), given.workers or None)
    return raw


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; errors of data and disk end it with one paragraph."""
    # TensorFlow only writes records here: no accelerator is taken from anybody.
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    given = _parser().parse_args(arguments)
    from input_pipeline.builders.base import RawDataError
    from input_pipeline.prepare.plan import PrepareError

    try:
        check_numbers(given.shards, given.workers, given.max_failed)
        prepare(
            _builder(given),
            given.out,
            shards=given.shards,
            workers=given.workers,
            max_failed=given.max_failed,
            beam=None if given.beam is None else shlex.split(given.beam),
        )
    except (RawDataError, PrepareError, parallel.WorkersDied) as error:
        leaving.die(error)
    except OSError as error:
        advice = {
            errno.ENOSPC: "Make room there",
            errno.EDQUOT: "Make room there, within your quota",
            errno.EROFS: "See that it can be written to",
            errno.EACCES: "See that you may read and write there",
            errno.EPERM: "See that you may read and write there",
        }.get(error.errno or 0, "Mend that")
        leaving.die(
            f"Preparing stopped: {error.strerror or error} "
            f"({error.filename or given.out}). {advice} and run the same command "
            "again: nothing is lost, it goes on where it stopped. Or choose another "
            "--out."
        )
    except KeyboardInterrupt:
        print("Interrupted. Run the same command again to go on.", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
