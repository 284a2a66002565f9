"""What is settled before and watched while the shards of a data set are written.

Which clip goes to which shard, whether a folder is free and fits, how large the whole
gets, and when too many clips have failed.
"""

import contextlib
import csv
import errno
import hashlib
import io
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import filelock
import numpy as np

from input_pipeline import dataset, records
from input_pipeline.builders.base import ClipBuilder
from input_pipeline.encode import Clip, ClipError, encode_clip
from input_pipeline.formats import container
from input_pipeline.formats.video import VideoOptions
from input_pipeline.prepare.shards import WORK, ShardJob, write_text
from input_pipeline.recordings import Part

PLAN_FILE = "plan.json"
FAILED_FILE = "failed.csv"
# A shard is what a resumed run may have to do again, and what one host reads at least.
CLIPS_PER_SHARD = 64
MIN_SHARDS = 8
# Clips that are encoded beforehand to tell the size of the whole.
SAMPLES = 6
# What a file system answers that knows no locks; preparation then goes on without.
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)


class PrepareError(RuntimeError):
    """Preparation cannot start, or had to stop; says why and how to go on."""


def check_names(clips: list[Clip]) -> None:
    """Raise PrepareError if two clips have one name."""
    names = Counter(clip.name for clip in clips)
    twice, count = names.most_common(1)[0] if names else ("", 0)
    if count > 1:
        raise PrepareError(
            f"{count} clips are called {twice!r}; expected a name for each. Rename or "
            "remove all but one."
        )


def shard_jobs(
    builder: ClipBuilder, clips: list[Clip], folder: Path, shards: int = 0
) -> list[ShardJob]:
    """Deal the clips to shards (0: a number by their count), the same way every time.

    The order is that of a hash of the names: every shard is a sample of the whole.
    """
    shards = shards or max(MIN_SHARDS, -(-len(clips) // CLIPS_PER_SHARD))
    shards = min(shards, len(clips))
    order = sorted(clips, key=lambda c: hashlib.sha256(c.name.encode()).digest())
    bounds = np.linspace(0, len(order), shards + 1).round().astype(int)
    return [
        ShardJob(folder, builder.name, i, shards, tuple(order[a:b]), builder.options)
        for i, (a, b) in enumerate(zip(bounds[:-1], bounds[1:], strict=True))
    ]


def plan(builder: ClipBuilder, jobs: list[ShardJob]) -> dict[str, Any]:
    """Everything on which the bytes of the data set depend, for comparison."""
    video = builder.options.video
    # The records know nothing of splits and groups: the index alone does.
    digest, of_records = hashlib.sha256(), hashlib.sha256()
    for job in jobs:
        for clip in job.clips:
            paths = {
                stream: os.path.relpath(path, builder.raw)
                for stream, path in clip.paths.items()
            }
            stored = [clip.name, clip.label, paths]
            numbers: list[Any] = [
                clip.subject,
                clip.camera,
                clip.setup,
                clip.replication,
            ]
            groups = [dict(clip.groups)] if clip.groups else []
            if clip.part is not None:
                numbers.append(_part_facts(clip.part, builder.raw))
            facts = [*stored, dict(clip.splits), *numbers, *groups]
            digest.update(json.dumps(facts, sort_keys=True).encode())
            facts = [*stored, *numbers]
            of_records.update(json.dumps(facts, sort_keys=True).encode())
    return {
        "format": records.FORMAT,
        "streams": list(builder.options.streams),
        "short_side": video.short_side,
        "quality": video.quality,
        "min_frames": video.min_frames,
        **_of_values(video),
        "shards": len(jobs),
        "clips": sum(len(job.clips) for job in jobs),
        "classes": builder.classes,
        "clip list": digest.hexdigest(),
        records.PLANNED: of_records.hexdigest(),
        **builder.source(),
    }


def _part_facts(part: Part, raw: Path) -> list[Any]:
    clocks = {s: [clock.offset, clock.rate] for s, clock in part.clocks.items()}
    counted = part.counted and [part.counted[0], os.path.relpath(part.counted[1], raw)]
    return [part.start, part.end, clocks, counted]


# Of a plan only where it is asked for, so that those of before stay as they are.
_ASKED = ("scalings", "frame_sizes")


def _of_values(video: VideoOptions) -> dict[str, Any]:
    scalings = {stream: str(way) for stream, way in video.scalings.items()}
    sizes = {stream: list(size) for stream, size in video.frame_sizes.items()}
    found = dict(zip(_ASKED, (scalings, sizes), strict=True))
    return {key: value for key, value in found.items() if value}


def adds_protocol(
    folder: Path, wanted: dict[str, Any], protocols: Sequence[str]
) -> bool:
    """Whether a finished folder has these very records, and not these protocols yet.

    Those that were added so before may be given again, in other splits.
    """
    try:
        info = json.loads((folder / dataset.INFO_FILE).read_text())
        found, known = info["plan"], {*info["protocols"]} - {*info.get("added", {})}
    except (OSError, ValueError, KeyError, TypeError):
        return False
    wanted = dict.fromkeys(_ASKED) | wanted
    different = {key for key in wanted if found.get(key) != wanted[key]}
    return different == {"clip list"} and not known & {*protocols}


def check_plan(folder: Path, wanted: dict[str, Any]) -> None:
    """Claim a folder for a plan; raises PrepareError if it holds another one's work."""
    path = folder / WORK / PLAN_FILE
    finished = folder / dataset.INFO_FILE
    try:
        if finished.is_file():
            found = json.loads(finished.read_text())["plan"]
        elif path.is_file():
            found = json.loads(path.read_text())
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, json.dumps(wanted))
            return
    except (ValueError, KeyError, TypeError):
        raise PrepareError(
            f"{folder} holds a damaged data set: {dataset.INFO_FILE} or "
            f"{WORK}/{PLAN_FILE} is not what was written. Delete {folder} and run the "
            "same command again."
        ) from None
    wanted = dict.fromkeys(_ASKED) | wanted
    different = [key for key in wanted if found.get(key) != wanted[key]]
    if records.PLANNED not in found:  # prepared before it was written down
        different = [key for key in different if key != records.PLANNED]
    if (
        different == ["clip list"]
        and found.get(records.PLANNED) == wanted[records.PLANNED]
    ):
        raise PrepareError(
            f"{folder} holds these very clips, in other splits or groups. Give "
            "--protocol NAME to add them as another protocol (data.protocol=NAME); no "
            "clip is stored again. For cross-validation no splits are needed: see "
            "data.folds."
        )
    different = [key for key in different if key != records.PLANNED]
    if different:
        changes = "; ".join(
            f"{key}: there {found.get(key)}, now {wanted[key]}"
            if len(str(wanted[key])) < 50 and key != "classes"
            else f"{key}: not the same"
            for key in different
        )
        raise PrepareError(
            f"{folder} was prepared with other options or from other raw files "
            f"({changes}). Give the options of before, choose another --out, or delete "
            f"{folder}."
        )


def is_finished(folder: Path) -> bool:
    """Whether the data set is whole; removes what a kill at the very end left."""
    finished = (folder / dataset.INFO_FILE).is_file()
    if finished:
        shutil.rmtree(folder / WORK, ignore_errors=True)
    return finished


def remove_parts(folder: Path) -> None:
    """Remove the half-written shards of processes that were killed."""
    for part in (folder / WORK).glob("*.tfrecord-*"):
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Let one process at a time prepare a folder; freed even if it is killed."""
    path = folder.parent / f".{folder.name}.lock"
    folder.mkdir(parents=True, exist_ok=True)
    # A soft lock, a file that must not exist, would outlive a process that is killed.
    held = filelock.FileLock(path, blocking=False, fallback_to_soft=False)
    try:
        held.acquire()
        path.write_text(f"{os.getpid()}\n")
    except filelock.Timeout:
        pid = path.read_text(errors="replace").strip() or "unknown"
        raise PrepareError(
            f"Process {pid} is preparing {folder} at this moment ({path} is "
            "locked). Wait until it is done, or end it."
        ) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        print(f"{folder} knows no locks: see that nobody else prepares it now.")
    try:
        yield
    finally:
        held.release()


def estimate_bytes(builder: ClipBuilder, clips: list[Clip]) -> float | None:
    """Bytes of the whole data set, from a few clips; None if none could be read.

    Raises RawDataError if their skeletons are of another layout than the builder's.
    """
    picked = {len(clips) * (2 * i + 1) // (2 * SAMPLES) for i in range(SAMPLES)}
    sizes = []
    for index in sorted(picked):
        with contextlib.suppress(ClipError):
            record = encode_clip(clips[index], builder.options)
            size = 0
            for found in record.streams.values():
                if isinstance(found, records.Video):
                    size += sum(map(len, found.frames))
                else:
                    size += found.points.nbytes + found.tracked.size
                    builder.layout_facts(found.points.shape[2])
            sizes.append(size)
    return sum(sizes) / len(sizes) * len(clips) if sizes else None


def check_space(folder: Path, needed: float) -> None:
    """Raise PrepareError if the disk has less room than is needed."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise PrepareError(
            f"About {needed / 1e9:.1f} GB more are needed in {folder}, but the disk "
            f"has {free / 1e9:.1f} GB free. Free some, choose another --out, or make "
            "the records smaller: a lower --short_side or --quality, fewer --streams."
        )


class FailureLimit:
    """Counts clips; raises PrepareError once too large a fraction of all has failed."""

    def __init__(
        self,
        folder: Path,
        clips: int,
        max_failed: float,
        show: Callable[[], object],
    ):
        self.folder, self.clips = folder, clips
        self.max_failed, self.show = max_failed, show
        self.failures: list[dict[str, Any]] = []

    def __call__(self, failure: dict[str, Any] | None) -> None:
        """Take note of one more clip."""
        self.show()
        if failure is not None:
            self.failures.append(failure)
            self.check()

    def take(self, tables: list[dict[str, Any] | None]) -> None:
        """Replace the failures by those of these shards' tables, which are complete."""
        self.failures = [f for table in tables if table for f in table["failed"]]
        self.check()

    def check(self) -> None:
        """Raise PrepareError if there are too many failures."""
        if len(self.failures) <= self.max_failed * self.clips:
            return
        reasons = Counter(f["reason"].split(":")[0] for f in self.failures)
        counts = ", ".join(f"{n} {reason}" for reason, n in reasons.most_common())
        raise PrepareError(
            f"{len(self.failures)} of {self.clips} clips cannot be used ({counts}), "
            f"which is more than the {100 * self.max_failed:g} % that --max_failed "
            f"allows. The first one: {self.failures[0]['path']}: "
            f"{self.failures[0]['reason']}. They are listed in "
            f"{self.folder / FAILED_FILE}. Mend or replace these files and run the "
            "same command again, or allow more."
        )


def check_there(
    folder: Path, clips: list[Clip], streams: Sequence[str], max_failed: float
) -> list[str]:
    """Return a warning if files that clips name are not there, before any is opened.

    Raises PrepareError if they are of too many clips; failed.csv then has them all.
    """
    limit = FailureLimit(folder, len(clips), max_failed, lambda: None)
    for clip in clips:
        gone = next((s for s in streams if _is_gone(clip.paths.get(s))), None)
        if gone is not None:
            limit.failures.append(
                {
                    "name": clip.name,
                    "path": str(clip.paths[gone]),
                    "stream": gone,
                    "reason": "missing: there is no such file",
                }
            )
    if not limit.failures:
        return []
    write_failed(folder, limit.failures)
    limit.check()
    return [
        f"Files of {len(limit.failures)} of {len(clips)} clips are not there, and "
        f"these clips will be left out; the first one: {limit.failures[0]['path']}. "
        f"They are listed in {folder / FAILED_FILE}."
    ]


def _is_gone(path: Path | None) -> bool:
    if path is None:
        return False
    try:
        os.stat(container.split(path)[0])
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        pass  # not gone, but out of reach: its reader says why
    return False


def write_failed(folder: Path, failures: list[dict[str, Any]]) -> None:
    """Write failed.csv: name, path, stream, reason of every clip left out."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = ("name", "path", "stream", "reason")
    writer.writerow(columns)
    for failure in sorted(failures, key=lambda f: f["name"]):
        writer.writerow([failure[column] for column in columns])
    write_text(folder / FAILED_FILE, text.getvalue())
