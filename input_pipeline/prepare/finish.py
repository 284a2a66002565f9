"""Facts about written shards: what TFDS needs, the index and, last, dataset.json."""

import bisect
import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from input_pipeline import dataset, records
from input_pipeline.builders.base import ClipBuilder, RawDataError, features
from input_pipeline.encode import Clip
from input_pipeline.formats.levels import of_stream
from input_pipeline.index import (
    GROUPS,
    SPLITS,
    UNUSED,
    frames_column,
    group_column,
    split_column,
)
from input_pipeline.prepare.plan import FAILED_FILE, PrepareError
from input_pipeline.prepare.shards import (
    WORK,
    ShardJob,
    finished_table,
    sync,
    write_text,
)
from input_pipeline.streams import STREAMS, of_kind, written


def finish(
    builder: ClipBuilder, jobs: list[ShardJob], folder: Path, planned: dict[str, Any]
) -> dict[str, Any]:
    """Write what TFDS needs, the index and, last, dataset.json, which is returned."""
    tables = []
    for job in jobs:
        table = finished_table(job)
        if table is None:
            raise PrepareError(
                f"The shard {job.path} is not as it was written, or a raw file changed "
                "meanwhile. Run the same command again."
            )
        tables.append(table)
    failures = [failure for table in tables for failure in table["failed"]]
    rows = [row for table in tables for row in table["rows"]]
    if not rows:
        raise RawDataError(
            f"Not one clip can be used; the reasons are in {folder / FAILED_FILE}."
        )
    index = _index(builder, jobs, tables)
    info = {
        "format": records.FORMAT,
        "name": builder.name,
        "version": str(builder.version),
        "num_clips": len(rows),
        "classes": builder.classes,
        "streams": _streams(builder, jobs, rows),
        "protocols": {
            protocol: _counts(index[split_column(protocol)])
            for protocol in builder.protocols
        },
        "default_protocol": builder.protocols[0],
        "difficulties": list(builder.options.difficulties),
        **_groups(jobs),
        "has_truth": all(row["truth"] for row in rows),
        "excluded": builder.excluded(),
        "failed": len(failures),
        "geometry": (
            "Frames are reduced so that the shorter side has short_side pixels, with "
            "the aspect kept; smaller ones stay as they are. All frames of a video are "
            "kept. The streams of a clip are not registered to each other."
        ),
        "shards": [
            {"file": j.path.name, "clips": len(t["rows"]), "bytes": t["bytes"]}
            for j, t in zip(jobs, tables, strict=True)
        ],
        "plan": planned,
    }
    _write_tfds(builder, folder, tables)
    _write(folder, index, info)
    return info


def correct_layout(builder: ClipBuilder, folder: Path) -> bool:
    """Put a layout that was given into a finished data set; whether it was another.

    No record depends on it. Raises RawDataError as `ClipBuilder.layout_facts` does.
    """
    path = folder / dataset.INFO_FILE
    info = json.loads(path.read_text())
    stream = next(iter(of_kind("joints", info["streams"])), "")
    if not stream or not builder.layout_given:
        return False
    facts = info["streams"][stream]
    others = {k: v for k, v in facts.items() if k not in ("layout", "mirror", "bones")}
    corrected = others | builder.layout_facts(facts["joints"])
    info["streams"][stream] = json.loads(json.dumps(corrected))
    if info["streams"][stream] == facts:
        return False
    write_text(path, json.dumps(info, indent=1) + "\n")
    return True


def _index(
    builder: ClipBuilder, jobs: list[ShardJob], tables: list[dict[str, Any]]
) -> dict[str, np.ndarray]:
    columns: dict[str, list[Any]] = {"name": [], "shard": [], "offset": []}
    columns |= {"length": [], "difficulty": []}
    facts = ("label", "subject", "camera", "setup", "replication")
    columns |= {fact: [] for fact in facts}
    groups = _groups(jobs).get("groups", {})
    columns |= {group_column(kind): [] for kind in groups}
    columns |= {split_column(protocol): [] for protocol in builder.protocols}
    # Shards written before do not say what their clips show.
    if all("content" in row for table in tables for row in table["rows"]):
        columns["content"] = []
    streams = written(builder.options.streams)
    columns |= {frames_column(stream): [] for stream in streams}
    for job, table in zip(jobs, tables, strict=True):
        clips = {clip.name: clip for clip in job.clips}
        for row in table["rows"]:
            clip = clips[row["name"]]
            for key in ("name", "offset", "length", "difficulty"):
                columns[key].append(row[key])
            columns["shard"].append(job.number)
            if "content" in columns:
                columns["content"].append(row["content"])
            for kind, names in groups.items():
                columns[group_column(kind)].append(_code(clip, kind, names))
            for stream in streams:
                frames = row["frames"].get(stream, 0)
                columns[frames_column(stream)].append(frames)
            for fact in facts:
                columns[fact].append(getattr(clip, fact))
            for protocol in builder.protocols:
                columns[split_column(protocol)].append(_split_code(clip, protocol))
    kinds: dict[str, Any] = {"name": np.str_}
    kinds |= dict.fromkeys(("offset", "length", "content"), np.int64)
    return {
        key: np.array(
            values,
            np.int8 if key.startswith(split_column("")) else kinds.get(key, np.int32),
        )
        for key, values in columns.items()
    }


def _groups(jobs: Sequence[ShardJob]) -> dict[str, dict[str, list[str]]]:
    """The names of persons, recordings and days, where clips say of which they are.

    Recordings of one clip each say nothing.
    """
    clips = [clip for job in jobs for clip in job.clips]
    found = {k: sorted({c.groups.get(k, "") for c in clips} - {""}) for k in GROUPS}
    several = {
        kind: names
        for kind, names in found.items()
        if names and not (kind == "recording" and len(names) == len(clips))
    }
    return {"groups": several} if several else {}


def _code(clip: Clip, kind: str, names: Sequence[str]) -> int:
    name = clip.groups.get(kind, "")
    return bisect.bisect_left(names, name) if name else UNUSED


def add_protocol(builder: ClipBuilder, folder: Path, jobs: list[ShardJob]) -> None:
    """Put another manifest's splits and groups of the same clips into a finished set.

    No record is touched: the new columns of the index and, last, dataset.json replace
    the old ones.
    """
    info = json.loads((folder / dataset.INFO_FILE).read_text())
    with np.load(folder / dataset.INDEX_FILE, allow_pickle=False) as stored:
        index = dict(stored)
    clips = {clip.name: clip for job in jobs for clip in job.clips}
    mine = [clips[str(name)] for name in index["name"]]
    for protocol in builder.protocols:
        codes = [_split_code(clip, protocol) for clip in mine]
        index[split_column(protocol)] = np.array(codes, np.int8)
        info["protocols"][protocol] = _counts(index[split_column(protocol)])
        given = hashlib.sha256(json.dumps(codes).encode()).hexdigest()
        info.setdefault("added", {})[protocol] = given
    for kind, names in _groups(jobs).get("groups", {}).items():
        codes = [_code(clip, kind, names) for clip in mine]
        index[group_column(kind)] = np.array(codes, np.int32)
        info.setdefault("groups", {})[kind] = names
    (folder / WORK).mkdir(exist_ok=True)
    _write(folder, index, info)


def _write(folder: Path, index: dict[str, np.ndarray], info: dict[str, Any]) -> None:
    part = folder / WORK / dataset.INDEX_FILE
    np.savez_compressed(part, allow_pickle=False, **index)
    sync(part)
    os.replace(part, folder / dataset.INDEX_FILE)
    write_text(folder / dataset.INFO_FILE, json.dumps(info, indent=1) + "\n")
    shutil.rmtree(folder / WORK)


def _counts(column: np.ndarray) -> dict[str, int]:
    return {split: int((column == code).sum()) for code, split in enumerate(SPLITS)}


def _split_code(clip: Clip, protocol: str) -> int:
    split = clip.splits.get(protocol)
    return UNUSED if split is None else SPLITS.index(split)


def _streams(
    builder: ClipBuilder, jobs: list[ShardJob], rows: list[dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    streams: dict[str, dict[str, Any]] = {}
    for stream in builder.options.streams:
        counts = [row["frames"][stream] for row in rows if stream in row["frames"]]
        facts: dict[str, Any] = {"clips": len(counts)}
        if counts:
            facts |= {"min_frames": min(counts), "max_frames": max(counts)}
        about = STREAMS[stream]
        if about.kind == "video":
            video = builder.options.video
            facts["short_side"] = video.short_side
            if stream in video.frame_sizes:
                facts["frame_size"] = list(video.frame_sizes[stream])
            ends = [row["levels"][stream] for row in rows if stream in row["levels"]]
            if ends:  # of more than 8 bits
                facts["scaling"] = str(of_stream(video.scalings, stream))
                low, high = zip(*ends, strict=True)
                facts["levels"] = [min(low), max(high)]
            if about.codec == "jpeg":
                facts["quality"] = video.quality
            facts["channels"] = about.channels
        else:
            facts |= _skeletons(builder, jobs, rows)
        streams[stream] = facts
    return streams


def _skeletons(
    builder: ClipBuilder, jobs: list[ShardJob], rows: list[dict[str, Any]]
) -> dict[str, Any]:
    counts = {row["joints"]: row["name"] for row in rows if "joints" in row}
    if len(counts) > 1:
        examples = ", ".join(f"{n} in {counts[n]!r}" for n in sorted(counts))
        raise RawDataError(
            f"The skeletons have different numbers of joints: {examples}. A data set "
            "has one kind of skeleton: prepare them as two, or bring them to one form."
        )
    count = next(iter(counts), 0)
    facts: dict[str, Any] = {"joints": count}
    facts["persons"] = max((row.get("persons", 0) for row in rows), default=0)
    facts |= builder.layout_facts(count)
    found = builder.lenses([clip for job in jobs for clip in job.clips])
    return facts | ({"lenses": found} if found else {})


def _write_tfds(
    builder: ClipBuilder, folder: Path, tables: list[dict[str, Any]]
) -> None:
    import tensorflow_datasets as tfds

    template = tfds.core.ShardedFileTemplate(
        data_dir=folder,
        dataset_name=builder.name,
        split=dataset.TFDS_SPLIT,
        filetype_suffix="tfrecord",
    )
    split = tfds.core.SplitInfo(
        name=dataset.TFDS_SPLIT,
        shard_lengths=[len(table["rows"]) for table in tables],
        num_bytes=sum(table["bytes"] for table in tables),
        filename_template=template,
    )
    tfds.folder_dataset.write_metadata(
        data_dir=folder,
        features=features(builder.options.streams),
        split_infos=[split],
        version=builder.version,
        filename_template=template,
        check_data=False,
        description=type(builder).__doc__,
    )
