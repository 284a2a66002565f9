"""What every data set's builder has in common, and its form as a TFDS builder."""

import abc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from input_pipeline import encode, joints, records
from input_pipeline.dataset import TFDS_SPLIT
from input_pipeline.streams import STREAMS, of_kind, written


class RawDataError(RuntimeError):
    """Raw files that are not there or not laid out as the builder expects."""


class _Info(tfds.core.DatasetInfo):
    def initialize_from_bucket(self) -> None:
        """Ask no server: these data sets are not published ready-made."""


class ClipBuilder(tfds.core.GeneratorBasedBuilder):
    """A data set of clips: says which there are; how one is read is the same for all.

    ``clips()`` is cheap, from names or a manifest; `encode.encode_clip` opens the
    files, on all cores in ``prepare``; TFDS's own ``download_and_prepare`` works too.
    """

    VERSION = tfds.core.Version("1.0.0")
    layout_given = False  # whether somebody said which joint is which

    def __init__(
        self, *, raw: Path | str, options: encode.EncodeOptions, **kwargs: Any
    ):
        self.raw = Path(raw)
        self.options = options
        super().__init__(**kwargs)
        # TFDS rebuilds a builder in another process from these arguments.
        self._original_state |= {"raw": raw, "options": options}

    @property
    @abc.abstractmethod
    def classes(self) -> list[str]:
        """Class names; a label is a position in this list."""

    @property
    @abc.abstractmethod
    def protocols(self) -> tuple[str, ...]:
        """Protocols whose splits the clips name; the first one is the default."""

    @abc.abstractmethod
    def clips(self) -> list[encode.Clip]:
        """Every clip that the raw files hold, sorted by name.

        Raises RawDataError if there is none or the layout is not as expected.
        """

    def excluded(self) -> dict[str, int]:
        """Number of clips that ``clips`` leaves out on purpose, by reason."""
        return {}

    def warnings(self) -> list[str]:
        """What is odd about the raw files though they can be used, a line each."""
        return []

    def source(self) -> dict[str, Any]:
        """What tells raw files apart that have the same names, for JSON."""
        return {}

    def layout(self, count: int) -> joints.Layout | None:
        """Which joint is which, of skeletons with so many joints; None: not known.

        Raises joints.LayoutError if that cannot be told.
        """
        return joints.by_count(count)

    def layout_facts(self, count: int) -> dict[str, Any]:
        """What dataset.json says of the layout of skeletons with so many joints.

        Raises RawDataError if there is no saying, or the layout has other joints.
        """
        try:
            layout = self.layout(count)
        except joints.LayoutError as error:
            raise RawDataError(str(error)) from None
        if layout is None:
            return {"layout": ""}
        if len(layout.mirror) != count:
            raise RawDataError(
                f"The joint layout {layout.name!r} has {len(layout.mirror)} joints, "
                f"but the skeletons have {count}. Give the --layout that is theirs, or "
                "none."
            )
        return layout.facts()

    def lenses(self, clips: Sequence[encode.Clip]) -> dict[str, Any]:
        """Lenses by camera and video stream, for JSON; see `input_pipeline.lenses`."""
        return {}

    def _info(self) -> tfds.core.DatasetInfo:
        return _Info(
            builder=self,
            features=features(self.options.streams),
            description=(type(self).__doc__ or ""),
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        return {TFDS_SPLIT: self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for clip in self.clips():
            record = encode.encode_clip(clip, self.options)
            yield clip.name, to_tfds(record, self.options.streams)


def features(streams: Sequence[str]) -> tfds.features.FeaturesDict:
    """Describe records of a set of streams to TFDS, which then decodes the images."""
    integer = tfds.features.Scalar(np.int64)

    def images(stream: str) -> tfds.features.FeatureConnector:
        about = STREAMS[stream]
        image = tfds.features.Image(
            shape=(None, None, about.channels),
            dtype=np.dtype(about.dtype),
            encoding_format=about.codec.removesuffix("16"),
        )
        return tfds.features.Sequence(image)

    flat: dict[str, Any] = {}
    for key, feature in records.schema(streams).items():
        if feature.size == 1:
            flat[key] = tfds.features.Text() if feature.kind == "bytes" else integer
        elif feature.size is not None:
            flat[key] = tfds.features.Tensor(shape=(feature.size,), dtype=np.int64)
        else:
            kind = np.float32 if feature.kind == "float" else np.int64
            flat[key] = tfds.features.Sequence(tfds.features.Scalar(kind))
    for stream in of_kind("video", written(streams)):
        flat[records.frames_key(stream)] = images(stream)
    return tfds.features.FeaturesDict(_nested(flat))


def to_tfds(record: records.Record, streams: Sequence[str]) -> dict[str, Any]:
    """Nest a record's features as TFDS wants them from ``_generate_examples``."""
    flat = records.to_features(record, streams)
    values = {
        key: flat[key][0] if feature.size == 1 else flat[key]
        for key, feature in records.schema(streams).items()
    }
    return _nested(values)


def _nested(flat: dict[str, Any]) -> dict[str, Any]:
    """{"rgb/height": x} to {"rgb": {"height": x}}: TFDS joins the names by a slash."""
    nested: dict[str, Any] = {}
    for key, value in flat.items():
        *outer, last = key.split("/")
        inner = nested
        for part in outer:
            inner = inner.setdefault(part, {})
        inner[last] = value
    return nested
