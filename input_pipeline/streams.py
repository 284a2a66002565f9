"""What the streams are: the one table that everything here asks.

A new stream is a row of `STREAMS`, and a reader in `input_pipeline.readers` if its
files are of a kind not read yet. `jaxact.batch.STREAMS` says the same of what reaches
a model; a test holds the two equal.
"""

import dataclasses
from collections.abc import Iterable
from typing import Literal


@dataclasses.dataclass(frozen=True)
class Stream:
    """One stream of a clip: what its files are, how it is stored, what a batch has."""

    name: str
    # "video": frames [t h w channels]; "joints": positions [m t v channels].
    kind: Literal["video", "joints"]
    channels: int
    dtype: str  # in a batch
    about: str
    # Function of `input_pipeline.readers` for its raw files; "": it has none.
    reader: str = ""
    # The stored stream from which it is computed as a batch is made; "": stored itself.
    made_from: str = ""
    # How the frames of a video are stored. Only "jpeg" mixes neighbouring pixels.
    codec: Literal["jpeg", "png16"] = "jpeg"

    @property
    def stored(self) -> str:
        """Name of the stream that is stored: its own, or what it is made from."""
        return self.made_from or self.name


# In the order in which they are written and listed.
STREAMS = {
    stream.name: stream
    for stream in (
        Stream("rgb", "video", 3, "uint8", "visible video", reader="images"),
        Stream("ir", "video", 1, "uint8", "infrared video", reader="images"),
        Stream(
            *("rgb_diff", "video", 15, "int16"),
            about="five differences of six successive visible frames",
            made_from="rgb",
        ),
        Stream(
            *("depth", "video", 1, "uint16"),
            about="distance in millimetres, 0 where it was not measured",
            reader="depth",
            codec="png16",
        ),
        Stream(
            *("skeleton", "joints", 3, "float32"),
            about="joints of m persons, metres",
            reader="skeleton",
        ),
    )
}
STORED = tuple(name for name, stream in STREAMS.items() if not stream.made_from)
# Every record has features of these, empty where the clip lacks the stream: records
# could not say which streams they hold before. Of others only a set that has them.
ALWAYS = ("rgb", "ir", "skeleton")


def source(stream: str) -> str:
    """Returns the stored stream from which a stream is made; unknown names as such."""
    return STREAMS[stream].stored if stream in STREAMS else stream


def written(streams: Iterable[str]) -> tuple[str, ...]:
    """Returns the streams whose features a record of a set of ``streams`` has."""
    given = {*streams, *ALWAYS}
    return tuple(name for name in STORED if name in given)


def of_kind(kind: str, streams: Iterable[str]) -> tuple[str, ...]:
    """Returns those of some streams that are of a kind, in their order."""
    return tuple(
        name for name in streams if name in STREAMS and STREAMS[name].kind == kind
    )
