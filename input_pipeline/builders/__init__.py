"""Data sets: which clips there are, their classes and official splits.

The way from a clip's files to its record is the same for all of them. `SETS` is the one
list of those that come with a builder; nothing heavy is imported for it.
"""

import importlib
from typing import TYPE_CHECKING, NamedTuple

from input_pipeline.streams import ALWAYS

if TYPE_CHECKING:
    from input_pipeline.builders.base import ClipBuilder


class Set(NamedTuple):
    """One data set that `python -m input_pipeline.prepare NAME` prepares."""

    builder: str  # MODULE:CLASS in this folder
    about: str
    streams: tuple[str, ...]  # unless --streams says otherwise


SETS = {
    "ntu60": Set("ntu:Ntu60", "NTU RGB+D", ALWAYS),
    "ntu120": Set("ntu:Ntu120", "NTU RGB+D 120", ALWAYS),
    "ucf101": Set("ucf101:Ucf101", "UCF101, three splits", ("rgb",)),
    "hmdb51": Set("hmdb51:Hmdb51", "HMDB51, three splits", ("rgb",)),
    "something": Set(
        "something:Something",
        "Something-Something V1 (frames) or V2 (videos)",
        ("rgb",),
    ),
    "folders": Set("folders:Folders", "videos in SPLIT/CLASS/VIDEO", ("rgb",)),
    "synthetic": Set("synthetic:Synthetic", "the staged world", ALWAYS),
    # Its streams are the columns of its manifest.
    "clips": Set("clips:Clips", "any clips that a CSV manifest lists", ()),
}


def load(name: str) -> "type[ClipBuilder]":
    """Returns the builder of a data set; imports TensorFlow Datasets."""
    module, _, cls = SETS[name].builder.partition(":")
    return getattr(importlib.import_module(f"{__name__}.{module}"), cls)
