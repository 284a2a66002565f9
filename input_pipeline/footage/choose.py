"""What a person gives as streams: a clip, many clips, a long file, a camera."""

import glob
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from input_pipeline.builders.files import is_video
from input_pipeline.footage import FootageError
from input_pipeline.footage.live import is_live
from input_pipeline.streams import source


def streams(
    given: Mapping[str, str | None], inputs: Mapping[str, Any], some: bool = False
) -> dict[str, str]:
    """Returns what is given for each stored stream that the model reads.

    Args:
      given: a text, or nothing, by stored stream.
      inputs: the model's streams.
      some: whether some of them will do (``data.allow_missing``).

    Raises:
      FootageError: one is missing, or one is given that the model does not read.
    """
    read = dict.fromkeys(map(source, inputs))
    missing = [stream for stream in read if not given.get(stream)]
    if some and len(missing) < len(read):
        missing = []
    surplus = [name for name, path in given.items() if path and name not in read]
    if missing or surplus:
        add = "".join(f" Add --{stream} FILE." for stream in missing)
        drop = "".join(f" Leave out --{stream}." for stream in surplus)
        without = ""
        if 0 < len(missing) < len(read):
            without = (
                " A model that was trained on clips without some of its streams does "
                "without them here, too: add --config.data.allow_missing=True."
            )
        raise FootageError(f"The model reads {' and '.join(read)}.{add}{drop}{without}")
    return {stream: path for stream in read if (path := given.get(stream))}


def live(paths: Mapping[str, str]) -> bool:
    """Returns whether streams are live; raises FootageError if only some are."""
    found = {stream: is_live(path) for stream, path in paths.items()}
    if any(found.values()) and not all(found.values()):
        which = ", ".join(stream for stream, is_so in found.items() if is_so)
        others = ", ".join(stream for stream, is_so in found.items() if not is_so)
        raise FootageError(
            f"{which} is live and {others} is a file: there is no telling which of its "
            "moments belong together. Give files, or cameras and addresses, alone."
        )
    return any(found.values())


def clips(paths: Mapping[str, str]) -> list[dict[str, str]] | None:
    """Returns the clips of folders of videos, or of patterns as "clips/*_rgb.avi".

    Files of two streams are a clip if what tells a stream's files apart, between what
    the names of all of them begin and end with, is the same in both.

    Returns:
      The file of each stream, by clip; None if single clips are given.

    Raises:
      FootageError: there are none, or the streams have files of different clips.
    """
    listed = {stream: _listed(path) for stream, path in paths.items()}
    many = {stream: files for stream, files in listed.items() if files is not None}
    if not many:
        return None
    if len(many) < len(paths):
        single = ", ".join(stream for stream in paths if stream not in many)
        raise FootageError(
            f"{', '.join(many)} is a folder or a pattern of many clips, {single} is "
            "one file. Give all streams in the same way."
        )
    for stream, files in many.items():
        if not files:
            raise FootageError(f"There is no video in {paths[stream]} ({stream}).")
    keyed = {
        stream: dict(zip(_keys(files), files, strict=True))
        for stream, files in many.items()
    }
    first, *others = keyed
    for stream in others:
        alone = keyed[first].keys() ^ keyed[stream].keys()
        if alone:
            path = {**keyed[first], **keyed[stream]}[min(alone)]
            raise FootageError(
                f"{len(keyed[first])} files are given for {first} and "
                f"{len(keyed[stream])} for {stream}, and {path} has no partner: files "
                "belong together whose names differ from their neighbours' in the same "
                "way. Rename them, or give patterns of those that do."
            )
    return [
        {stream: found[key] for stream, found in keyed.items()} for key in keyed[first]
    ]


def _listed(path: str) -> list[str] | None:
    """The videos of a folder or a pattern, sorted; None if it is one file."""
    if os.path.exists(path):
        if not os.path.isdir(path):
            return None
        names = sorted(name for name in os.listdir(path) if not name.startswith("."))
        found = [os.path.join(path, name) for name in names if is_video(name)]
        return found or None  # else pictures, which are one clip
    if not glob.has_magic(path):
        return None
    return sorted(glob.glob(path, recursive=True))


def _keys(files: Sequence[str]) -> list[str]:
    """What tells names apart: without what all of them begin and end with."""
    stems = [Path(file).stem for file in files]
    if len(stems) == 1:
        return [""]
    start = len(os.path.commonprefix(stems))
    rest = [stem[start:] for stem in stems]
    end = len(os.path.commonprefix([stem[::-1] for stem in rest]))
    return [stem[: len(stem) - end] for stem in rest]
