"""The index of a prepared data set: a row a clip, its columns, and what they may hold.

The row number is the clip's id. Reading is careful: the file may be damaged, or made by
somebody who means no good.
"""

import zipfile
from typing import Any

import numpy as np

from input_pipeline.streams import STORED

# What a protocol's column means: a position here, or -1 for a clip that is left out.
SPLITS = ("train", "test", "val")
UNUSED = -1
# By what clips may belong together; a person may also be a record's number.
GROUPS = ("person", "recording", "day")
# More than any path is long, and any header of an array that NumPy reads.
LONGEST_NAME, LONGEST_HEADER = 4096, 10_000


def split_column(protocol: str) -> str:
    """Name of the index column that says which split of a protocol a clip is in."""
    return f"split_{protocol}"


def group_column(kind: str) -> str:
    """Name of the index column that says which person, recording, ... a clip is of."""
    return f"group_{kind}"


def frames_column(stream: str) -> str:
    """Name of the index column that says how many frames a clip has (0: no stream)."""
    return f"frames_{stream}"


def known_columns(columns: Any, info: dict[str, Any]) -> dict[str, np.ndarray]:
    """Unpack the columns an index may have, if none is larger than its rows can be.

    Nothing else in the archive is looked at: a few bytes can unfold to any number.
    """
    index = {}
    known = [*_numbers(info), "subject", "camera", "setup", "replication", "content"]
    known += [group_column(kind) for kind in GROUPS if kind in info.get("groups", {})]
    known += [frames_column(stream) for stream in STORED]
    for key in ("name", *known):
        if f"{key}.npy" not in columns:
            continue
        member = columns.zip.getinfo(f"{key}.npy")
        most = info["num_clips"] * (4 * LONGEST_NAME if key == "name" else 8)
        # Python unpacks the other kinds of compression without regard to the size.
        plain = member.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        if member.file_size > LONGEST_HEADER + most or not plain:
            raise ValueError(
                f"the column {key} unfolds to {member.file_size} bytes for "
                f"{info['num_clips']} clips, or is not packed as NumPy packs"
            )
        index[key] = columns[member.filename]
    return index


def _numbers(info: dict[str, Any]) -> list[str]:
    """Names of the columns of integers that every index has."""
    splits = [split_column(protocol) for protocol in info["protocols"]]
    return ["shard", "offset", "length", "label", "difficulty", *splits]


def check(index: dict[str, np.ndarray], info: dict[str, Any]) -> None:
    """Raises ValueError if a row leads outside its shard or the list of classes.

    Or if a split has not as many rows as dataset.json says.
    """
    missing = [key for key in ("name", *_numbers(info)) if key not in index]
    if missing:
        raise ValueError(f"it has no columns {', '.join(missing)}")
    odd = [k for k, c in index.items() if k != "name" and c.dtype.kind not in "iu"]
    if (
        odd
        or index["name"].dtype.kind != "U"
        or any(c.ndim > 1 for c in index.values())
    ):
        raise ValueError(f"{', '.join(odd) or 'a column'} is of another kind")
    sizes = np.array([shard["bytes"] for shard in info["shards"]], np.int64)
    shard, label = index["shard"], index["label"]
    if len(shard) and not (0 <= shard.min() and shard.max() < len(sizes)):
        raise ValueError(f"a clip is in shard {shard.max()} of {len(sizes)}")
    # As Python's integers: no sum of these wraps around.
    ends = index["offset"].astype(object) + index["length"].astype(object)
    start = np.minimum(index["offset"], index["length"])
    if len(shard) and (start.min() < 0 or (ends > sizes[shard]).any()):
        raise ValueError("a clip's record lies outside its shard")
    classes = len(info["classes"])
    if len(label) and not (0 <= label.min() and label.max() < classes):
        raise ValueError(f"a clip's label is {label.max()}, of {classes} classes")
    for protocol, stated in info["protocols"].items():
        codes, counts = np.unique(index[split_column(protocol)], return_counts=True)
        if len(codes) and not (UNUSED <= codes[0] and codes[-1] < len(SPLITS)):
            raise ValueError(
                f"the splits of protocol {protocol!r} are {codes[0]} to {codes[-1]}, "
                f"of {UNUSED} to {len(SPLITS) - 1}"
            )
        # A split without clips may be left out.
        found = {
            SPLITS[c]: int(n) for c, n in zip(codes, counts, strict=True) if c >= 0
        }
        if found != {split: n for split, n in stated.items() if n}:
            raise ValueError(
                f"protocol {protocol!r} has clips {found} here, but {stated} in "
                "dataset.json"
            )
    for kind, names in info.get("groups", {}).items():
        if group_column(kind) not in index:
            raise ValueError(f"it does not say of which {kind} a clip is")
        codes = index[group_column(kind)]
        if len(codes) and not (-1 <= codes.min() and codes.max() < len(names)):
            raise ValueError(f"a clip is of {kind} {codes.max()}, of {len(names)}")
