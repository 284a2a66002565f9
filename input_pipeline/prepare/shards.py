"""One shard of a data set: written whole or not at all, by whichever process.

The record file is written under another name and renamed; then its table of rows is
written, likewise. A shard is finished if the table is there and fits the file. The
table also lists the clips that failed, and what readers noted of the others.
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from input_pipeline import records, tfrecord
from input_pipeline.dataset import shard_name
from input_pipeline.encode import Clip, ClipError, EncodeOptions, encode_clip
from input_pipeline.formats import container, notes

# Folder of everything that only an unfinished data set needs.
WORK = ".work"


class Stopped(Exception):
    """Writing was stopped from outside; nothing is left behind."""


@dataclasses.dataclass(frozen=True)
class ShardJob:
    """All that a process needs to know to write one shard."""

    folder: Path
    dataset: str
    number: int
    shards: int
    clips: tuple[Clip, ...]
    options: EncodeOptions

    @property
    def path(self) -> Path:
        """Where the records will lie."""
        return self.folder / shard_name(self.dataset, self.number, self.shards)

    @property
    def table_path(self) -> Path:
        """Where the table of rows will lie."""
        return self.folder / WORK / f"rows-{self.number:05d}.json"


def write_shard(
    job: ShardJob, progress: Callable[[dict[str, Any] | None], None] | None = None
) -> None:
    """Encode a job's clips in order into its shard, then write its table.

    ``progress`` is called after each clip, with the failure or None; what it raises
    ends the writing. The same job always writes the same bytes.
    """
    rows: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    noted: list[dict[str, str]] = []
    # With the process id: a process of an interrupted run may still be at work.
    part = job.folder / WORK / f"{job.path.name}.{os.getpid()}"
    offset = 0
    try:
        with part.open("wb") as file:
            for clip in job.clips:
                failure = None
                try:
                    with notes.listening() as heard:
                        record = encode_clip(clip, job.options)
                except ClipError as error:
                    failure = _failure(error)
                    failed.append(failure)
                else:
                    noted += [{"name": clip.name, "note": text} for text in heard]
                    pieces = records.pieces(record, job.options.streams)
                    rows.append(_row(record, offset, sum(map(len, pieces))))
                    offset += sum(map(file.write, tfrecord.framed(pieces)))
                    del record, pieces  # before the next clip is read
                if progress is not None:
                    progress(failure)
        sync(part)
        os.replace(part, job.path)
    finally:
        part.unlink(missing_ok=True)
    table = {"bytes": offset, "rows": rows, "failed": failed, "noted": noted}
    write_text(job.table_path, json.dumps(table))


def finished_table(job: ShardJob) -> dict[str, Any] | None:
    """Read the table of a finished shard; None if it is to be written (again).

    A shard is written again if a file that failed in it is no longer as it was then.
    """
    try:
        table = json.loads(job.table_path.read_text())
        whole = job.path.stat().st_size == table["bytes"]
    except (OSError, ValueError, KeyError):
        return None
    changed = any(_state(f["path"]) != f["state"] for f in table["failed"])
    return table if whole and not changed else None


def write_text(path: Path, text: str) -> None:
    """Write a file so that it is never seen half written, even after a power cut."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    # Names of files may hold bytes that are not UTF-8.
    part.write_text(text, encoding="utf-8", errors="backslashreplace")
    sync(part)
    os.replace(part, path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Have the system write a file's bytes, or a folder's names, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _row(record: records.Record, offset: int, length: int) -> dict[str, Any]:
    """What the index and the summary need to know of a record."""
    row: dict[str, Any] = {
        "name": record.name,
        "offset": offset,
        "length": length,
        "difficulty": record.difficulty,
        "truth": False,
        "frames": {},
        "content": _content(record),
        "levels": {},
    }
    for stream, found in record.streams.items():
        if isinstance(found, records.Video):
            row["frames"][stream] = len(found.frames)
            row["truth"] |= found.actor_visible is not None
            if found.levels:
                ends = [min(found.levels), max(found.levels)]
                row["levels"][stream] = ends
        else:
            persons, frames, joints = found.tracked.shape
            row["frames"][stream] = frames
            row["persons"], row["joints"] = persons, joints
    return row


def _content(record: records.Record) -> int:
    """A number of what a clip shows: of equal ones the clips are the same."""
    digest = hashlib.sha256()
    for stream, found in sorted(record.streams.items()):
        digest.update(stream.encode())
        if isinstance(found, records.Video):
            for frame in found.frames:
                digest.update(bytes(frame))
        else:
            digest.update(np.ascontiguousarray(found.points, np.float32).tobytes())
    return int.from_bytes(digest.digest()[:8], "little", signed=True)


def _failure(error: ClipError) -> dict[str, Any]:
    return {
        "name": error.name,
        "path": error.path,
        "stream": error.stream,
        "reason": error.reason,
        "state": _state(error.path),
    }


def _state(path: str) -> list[int] | None:
    """Size and time of change of a file; None if it is not there."""
    try:
        stat = os.stat(container.split(Path(path))[0])
    except (OSError, ValueError):
        return None
    return [stat.st_size, stat.st_mtime_ns]
