"""A prepared data set as it lies on disk: its index and its facts, without TensorFlow.

<data_dir>/<name>/<version>/ holds the shards, ``index.npz`` (one row a clip; the row
number is the clip's id) and ``dataset.json``, which is written last: a folder without
it is not finished.
"""

import dataclasses
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from input_pipeline import howto, records
from input_pipeline.index import (
    GROUPS,
    SPLITS,
    check,
    group_column,
    known_columns,
    split_column,
)
from input_pipeline.streams import of_kind

INFO_FILE = "dataset.json"
INDEX_FILE = "index.npz"
# The one TFDS split, which holds every usable clip.
TFDS_SPLIT = "clips"


class DatasetError(RuntimeError):
    """A prepared data set that is not there, not finished or not readable."""


def shard_name(name: str, shard: int, shards: int) -> str:
    """File name of a shard, in the form in which TFDS looks for it."""
    return f"{name}-{TFDS_SPLIT}.tfrecord-{shard:05d}-of-{shards:05d}"


@dataclasses.dataclass(frozen=True)
class PreparedDataset:
    """Index and facts of one prepared data set. Open it with ``PreparedDataset.open``.

    ``info`` is the whole of dataset.json, ``index`` the columns of index.npz, each [N].
    """

    folder: Path
    info: dict[str, Any]
    index: dict[str, np.ndarray]

    @classmethod
    def open(
        cls, data_dir: str | Path, name: str, version: str = ""
    ) -> "PreparedDataset":
        """Open <data_dir>/<name>/<version> ("": the newest finished version).

        Raises DatasetError, which says what is missing and how to get it.
        """
        folder = _find(Path(data_dir), name, version)
        info = _read_info(folder, name)
        _check_shards(folder, info)
        index = _read_index(folder, info)
        return cls(folder, info, index)

    @property
    def name(self) -> str:
        """Name of the data set."""
        return self.info["name"]

    @property
    def version(self) -> str:
        """Version of the data set."""
        return self.info["version"]

    @property
    def title(self) -> str:
        """Name and version, and of a staged set what tells its world from others."""
        world = (self.info.get("plan") or {}).get("world")
        if world is None:
            return f"{self.name} {self.version}"
        text = json.dumps(world, sort_keys=True)
        short = hashlib.sha256(text.encode()).hexdigest()[:8]
        return f"{self.name} {self.version} (world {short})"

    def digest(self, protocol: str = "", folds: str = "") -> str:
        """What tells these clips from those of another preparation; not of the path.

        Of their contents only how many bytes each shard has. Of a protocol that was
        added later, and of folds, which clips are in which split or group, too.
        """
        keys = ("plan", "num_clips", "streams", "shards")
        facts = {key: self.info.get(key) for key in keys}
        plan = facts["plan"] or {}  # the list of clips says what their records hold
        facts["plan"] = {k: v for k, v in plan.items() if k != records.PLANNED} or None
        if protocol in self.info.get("added", {}):
            facts["added"] = self.info["added"][protocol]
        if folds in self.groups:
            codes = self.index[group_column(folds)]
            facts["groups"] = np.asarray(self.groups[folds])[codes].tolist()
        text = json.dumps(facts, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def classes(self) -> list[str]:
        """Class names; a label is a position in this list."""
        return self.info["classes"]

    @property
    def streams(self) -> dict[str, dict[str, Any]]:
        """Streams that the records hold, each with what is known of its geometry."""
        return self.info["streams"]

    @property
    def skeleton(self) -> dict[str, Any]:
        """What is known of the stream of joints; empty if there is none."""
        return next(map(self.streams.get, of_kind("joints", self.streams)), {}) or {}

    @property
    def protocols(self) -> dict[str, dict[str, int]]:
        """Number of clips of each split of each protocol."""
        return self.info["protocols"]

    @property
    def default_protocol(self) -> str:
        """Protocol that is meant when none is named."""
        return self.info["default_protocol"]

    @property
    def groups(self) -> dict[str, list[str]]:
        """Names by number of ``index["group_person"]``, ...; of the kinds known."""
        return self.info.get("groups", {})

    @property
    def difficulties(self) -> list[str]:
        """Difficulties by bit of ``index["difficulty"]``; empty if none are known."""
        return self.info["difficulties"]

    @property
    def has_truth(self) -> bool:
        """Whether the records say where the actor is."""
        return self.info["has_truth"]

    @property
    def names(self) -> np.ndarray:
        """Clip names by id [N]."""
        return self.index["name"]

    @property
    def labels(self) -> np.ndarray:
        """Labels by id, int32 [N]."""
        return self.index["label"]

    @property
    def shard_paths(self) -> list[Path]:
        """Shard files, by the number in ``index["shard"]``."""
        return [self.folder / shard["file"] for shard in self.info["shards"]]

    @property
    def offsets(self) -> np.ndarray:
        """Byte at which a clip's record starts in its shard, int64 [N]."""
        return self.index["offset"]

    def __len__(self) -> int:
        return len(self.names)

    def says_another_length(self, row: int) -> bool:
        """Whether a record's first bytes name another length than the index does."""
        path = self.shard_paths[int(self.index["shard"][row])]
        try:
            with open(path, "rb", buffering=0) as file:
                stated = os.pread(file.fileno(), 8, int(self.offsets[row]))
        except OSError:
            return False  # reading it will tell
        length = int(self.index["length"][row])
        return len(stated) == 8 and int.from_bytes(stated, "little") != length

    def rows(self, protocol: str, split: str) -> np.ndarray:
        """Ids of a split's clips in ascending order, int64 [n] ("": default protocol).

        Raises DatasetError if the data set has no such protocol or split.
        """
        protocol = protocol or self.default_protocol
        if protocol not in self.protocols:
            raise DatasetError(
                f"The data set {self.name!r} has no protocol {protocol!r}. It has: "
                f"{', '.join(self.protocols)}."
            )
        if split not in SPLITS:
            raise DatasetError(
                f"There is no split {split!r}; splits are {', '.join(SPLITS)}."
            )
        column = self.index[split_column(protocol)]
        rows = np.flatnonzero(column == SPLITS.index(split))
        if not len(rows):
            counts = ", ".join(f"{k}: {n}" for k, n in self.protocols[protocol].items())
            raise DatasetError(
                f"No clip of the data set {self.name!r} is in split {split!r} of "
                f"protocol {protocol!r} (clips by split: {counts})."
            )
        return rows


def _find(data_dir: Path, name: str, version: str) -> Path:
    parent = data_dir / name
    versions = [p for p in parent.iterdir() if p.is_dir()] if parent.is_dir() else []
    complete = [p for p in versions if (p / INFO_FILE).is_file()]
    wanted = [p for p in versions if p.name == version] if version else versions
    finished = [p for p in complete if p in wanted]
    if finished:
        return max(finished, key=_version_key)
    if wanted:
        raise DatasetError(
            f"The data set {name!r} in {wanted[0]} is only half prepared: it has no "
            f"{INFO_FILE}, which is written last. Run the command that prepares it "
            "again; it goes on where it stopped."
        )
    if versions:
        raise DatasetError(
            f"The data set {name!r} in {parent} has no version {version!r}; it has "
            f"{', '.join(sorted(p.name for p in complete)) or 'no finished one'}. Ask "
            'for one of these, or for "" to get the newest.'
        )
    if not data_dir.is_dir():
        what = f"The folder {data_dir} does not exist, so the data set {name!r} is"
    else:
        what = f"There is no folder {parent}: the data set {name!r} is"
    raise DatasetError(f"{what} not prepared. {howto.text(name, data_dir)}")


def _version_key(folder: Path) -> tuple[tuple[int, int, str], ...]:
    # 1.10.0 is newer than 1.9.0; parts that are no numbers come before those that are.
    parts = folder.name.split(".")
    return tuple((1, int(p), "") if p.isdecimal() else (0, 0, p) for p in parts)


def _read_info(folder: Path, name: str) -> dict[str, Any]:
    path = folder / INFO_FILE
    try:
        info = json.loads(path.read_text())
        found = info["format"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise DatasetError(
            f"{path} is damaged: it is no JSON object with a format number. Delete "
            f"{folder} and prepare the data set {name!r} again."
        ) from None
    if found != records.FORMAT:
        raise DatasetError(
            f"The data set {name!r} in {folder} was prepared by another version of "
            f"this program: its format is {found}, this one reads {records.FORMAT}. "
            "Prepare it again into another folder, or use the version that made it."
        )
    wrong = [key for key, kind in _FACTS.items() if type(info.get(key)) is not kind]
    more = {key: kind for key, kind in _MORE_FACTS.items() if key in info}
    wrong += [key for key, kind in more.items() if type(info[key]) is not kind]
    if wrong or not _fits(info):
        what = ", ".join(wrong) or "what it says of clips, shards or splits"
        raise DatasetError(
            f"{path} is damaged: {what} is not as it was written. Delete {folder} and "
            f"prepare the data set {name!r} again."
        )
    return info


# What dataset.json holds at least, and of which kind.
_FACTS: dict[str, type] = {
    "name": str,
    "version": str,
    "num_clips": int,
    "classes": list,
    "streams": dict,
    "protocols": dict,
    "default_protocol": str,
    "difficulties": list,
    "has_truth": bool,
    "shards": list,
}
# What it may hold besides.
_MORE_FACTS: dict[str, type] = {"groups": dict, "added": dict}


def _fits(info: dict[str, Any]) -> bool:
    """Whether the inner parts are what they should be; the outer ones are."""
    for shard in info["shards"]:
        if type(shard) is not dict or type(shard.get("bytes")) is not int:
            return False
        # A plain name: records come from the data set's own folder and nowhere else.
        file = shard.get("file")
        if type(file) is not str or file in ("", "..") or Path(file).name != file:
            return False
    counts = [*info["protocols"].values()]
    return (
        # Length and checksums alone take 16 bytes of a shard.
        0 <= 16 * info["num_clips"] <= sum(shard["bytes"] for shard in info["shards"])
        and info["default_protocol"] in info["protocols"]
        and all(type(of_split) is dict for of_split in counts)
        and all(type(n) is int for of_split in counts for n in of_split.values())
        and all(type(facts) is dict for facts in info["streams"].values())
        and all(type(name) is str for name in info["classes"] + info["difficulties"])
        and all(
            kind in GROUPS
            and type(names) is list
            and all(type(n) is str for n in names)
            for kind, names in info.get("groups", {}).items()
        )
    )


def _read_index(folder: Path, info: dict[str, Any]) -> dict[str, np.ndarray]:
    path = folder / INDEX_FILE
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as columns:
            index = known_columns(columns, info)
        counts = {len(column) for column in index.values()}
        if counts != {info["num_clips"]}:
            raise ValueError(f"columns of {counts} rows, not {info['num_clips']}")
        check(index, info)
    except Exception as error:  # damaged archives make numpy raise almost anything
        raise DatasetError(
            f"{path} is damaged or cannot be read ({error}). Copy the prepared data "
            f"set again, or delete {folder} and prepare it again."
        ) from None
    return index


def shard_problem(folder: Path, shard: dict[str, Any]) -> str:
    """Says what is wrong with a shard's file as it lies there now; "": nothing."""
    path = folder / shard["file"]
    try:
        size = path.stat().st_size if path.is_file() else None
    except OSError as error:  # the disk or the server is gone
        return f"The shard {path} cannot be reached ({error.strerror})."
    if size == shard["bytes"]:
        return ""
    got = "is missing" if size is None else f"has {size} bytes"
    return f"The shard {path} {got}; it should have {shard['bytes']} bytes."


def _check_shards(folder: Path, info: dict[str, Any]) -> None:
    for shard in info["shards"]:
        problem = shard_problem(folder, shard)
        if problem:
            raise DatasetError(
                f"{problem} The copy of the data set is not whole: copy it again, or "
                f"delete {folder} and prepare it again."
            )
