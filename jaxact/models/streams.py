"""Any backbone over any streams; what a batch's streams are to a model."""

import dataclasses
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import einops
import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxact.backbones.protocol import BackboneConfig, Walk, last_map
from jaxact.backbones.timesformer import TimeSformerConfig
from jaxact.batch import (
    PRESENT,
    STREAMS,
    check_streams,
    normalize_depth,
    normalize_differences,
    normalize_video,
)
from jaxact.config import Experiment, ModelConfig
from jaxact.layers.fusions import only_present

# Streams a model of images may have: dtype and channels.
VIDEOS = {
    name: (jnp.dtype(stream.dtype), stream.channels)
    for name, stream in STREAMS.items()
    if stream.kind == "video"
}
# Public image weights begin at ViT-B's width; what is smaller has none to start from.
VIT_WIDTH = 768
Layout = Literal["passes", "time", "unshared"]
# What streams do to one another's maps [b ... c]: (stage, maps, train=...) -> maps.
Between = Callable[..., Sequence[jax.Array]]


def video_inputs(
    streams: tuple[str, ...], frames: int, size: int
) -> dict[str, jax.ShapeDtypeStruct]:
    """Returns one example's streams of images, all of one size, in their order.

    Raises:
      ValueError: a stream is not one of `VIDEOS`, or stands there twice.
    """
    check_streams(streams, tuple(VIDEOS))
    return {
        name: jax.ShapeDtypeStruct(
            (frames, size, size, VIDEOS[name][1]), VIDEOS[name][0]
        )
        for name in streams
    }


def stream_of(
    batch: Mapping[str, jax.Array], name: str, streams: Sequence[str]
) -> jax.Array:
    """Returns a stream of the batch.

    Raises:
      KeyError: the batch has no such stream.
    """
    if name not in batch:
        raise KeyError(
            f"The batch has no stream {name!r}, only {sorted(batch)}; the model "
            f"expects {tuple(streams)}."
        )
    return batch[name]


def zero_if_missing(
    x: jax.Array, batch: Mapping[str, jax.Array], name: str, streams: Sequence[str]
) -> jax.Array:
    """Returns ``x [b ...]`` of a stream with zeros for the clips that have it not.

    Args:
      batch: may hold ``present``, in the order of ``streams``.
    """
    present = batch.get(PRESENT)
    if present is None:
        return x
    return only_present(x, present[:, list(streams).index(name)])


def normalized(
    batch: Mapping[str, jax.Array],
    name: str,
    streams: Sequence[str],
    mean: tuple[float, ...],
    std: tuple[float, ...],
    dtype: DTypeLike,
) -> jax.Array:
    """Returns a stream of images as a network wants it, ``[b t h w c]``.

    A clip that has not this stream is 0, the mean of all clips.

    Args:
      mean, std: of intensities in [0, 1], one for all channels or one for each of red,
        green and blue; a single channel gets their mean.
    """
    video = stream_of(batch, name, streams)
    if video.dtype == jnp.int16:
        video = normalize_differences(video, std, dtype)
    elif video.shape[-1] == 1:
        grey = [sum(x) / len(x) for x in (mean, std)]
        depth = video.dtype == jnp.uint16
        normalize = normalize_depth if depth else normalize_video
        video = normalize(video, grey[:1], grey[1:], dtype)
    else:
        video = normalize_video(video, mean, std, dtype)
    return zero_if_missing(video, batch, name, streams)


@dataclasses.dataclass
class StreamsConfig(ModelConfig):
    """What models of one network over streams of images share."""

    streams: tuple[str, ...] = ("rgb", "ir")
    frames: int = 8  # of each stream
    image_size: int = 224
    # One channel is repeated to three, or has a first layer of its own.
    ir_embedding: Literal["repeat", "single"] = "repeat"

    def inputs(self) -> dict[str, jax.ShapeDtypeStruct]:
        return video_inputs(self.streams, self.frames, self.image_size)

    def branches_of(
        self,
        backbone: BackboneConfig,
        layout: Layout,
        own: Mapping[str, BackboneConfig] | None = None,
    ) -> "Branches":
        """Returns the streams' networks.

        Args:
          own: the networks of streams that have one of their own kind.

        Raises:
          ValueError: the streams cannot be had in this layout.
        """
        own = own or {}
        self.inputs()  # raises what is no stream
        if layout == "time" and own:
            raise ValueError(
                f"Got layout='time' and networks of their own for {', '.join(own)}; "
                "one after another in time the streams are one clip of one network: "
                "choose layout='passes' or 'unshared'."
            )
        repeat = self.ir_embedding == "repeat"
        channels = {VIDEOS[name][1] for name in self.streams if name not in own}
        if repeat:
            channels = {3 if number == 1 else number for number in channels}
        if layout == "time" and len(channels) > 1:
            raise ValueError(
                f"Got layout='time' with the streams {self.streams} of {channels} "
                "channels; one after another in time they must have the same: repeat "
                "a single channel (ir_embedding='repeat'), or choose layout='passes'."
            )
        return Branches(
            streams=self.streams,
            backbone=backbone.build(jnp.dtype(self.dtype)),
            layout=layout,
            repeat=repeat,
            mean=backbone.mean,
            std=backbone.std,
            dtype=jnp.dtype(self.dtype),
            own=tuple(
                Own(name, one.build(jnp.dtype(self.dtype)), one.mean, one.std)
                for name, one in own.items()
            ),
        )


@dataclasses.dataclass
class TimeSformerStreamsConfig(StreamsConfig):
    """TimeSformer over image streams, its fields flat; the defaults are STAFusion's."""

    patch: int = 16
    width: int = 768
    depth: int = 10  # with shared weights, the only reading of Table 1's 101 M
    heads: int = 12
    mlp_ratio: float = 4.0
    dropout: float = 0.0
    drop_path: float = 0.0
    share_backbone: bool = True  # False: every stream has weights of its own
    remat: bool = False  # recompute activations in the backward pass
    # Standard deviations of the position and time embeddings at the start. The defaults
    # are TimeSformer's; from random weights on little data larger ones learn sooner.
    position_std: float = 0.02
    time_std: float = 0.0
    # Of the intensities in [0, 1], for all channels or for red, green and blue, as the
    # starting weights expect: 0.45 and 0.225 are TimeSformer's, 0.5 and 0.5 ViT-B/16's.
    mean: tuple[float, ...] = TimeSformerConfig.mean
    std: tuple[float, ...] = TimeSformerConfig.std

    def notes(self, experiment: Experiment) -> list[str]:
        if self.width < VIT_WIDTH or experiment.train.init_from:
            return []
        return [
            "this TimeSformer has ViT-B's width and starts from random weights; its "
            "authors' starts from a ViT trained on ImageNet. Give one with "
            "--config.train.init_from=FILE (README, starting weights), or leave it so."
        ]

    def branches(self) -> "Branches":
        """Returns the streams' networks.

        Raises:
          ValueError: mean or std are neither one number nor three, or std is 0.
        """
        if not {len(self.mean), len(self.std)} <= {1, 3} or not all(self.std):
            raise ValueError(
                f"Got mean={self.mean} and std={self.std}; expected one number each or "
                "three, and no std of 0."
            )
        names = [field.name for field in dataclasses.fields(TimeSformerConfig)]
        backbone = TimeSformerConfig(**{name: getattr(self, name) for name in names})
        layout: Layout = "passes" if self.share_backbone else "unshared"
        return self.branches_of(backbone, layout).clone(mean=self.mean, std=self.std)


@dataclasses.dataclass(frozen=True)
class Own:
    """A stream's own network, and the intensities that it expects; see `Branches`."""

    stream: str
    network: nn.Module
    mean: tuple[float, ...]
    std: tuple[float, ...]


class Branches(nn.Module):
    """A backbone over the streams of a batch.

    Attributes:
      backbone: see `jaxact.backbones.protocol.Backbone`.
      layout: "passes": one run over all streams, stacked in the batch, with shared
        weights; "time": one run over the streams one after another in time, as if they
        were one clip; "unshared": a network a stream.
      repeat: one channel is repeated to three.
      mean, std: see `normalized`.
      own: networks of their own, of streams that do not share the backbone.
    """

    streams: tuple[str, ...]
    backbone: nn.Module
    layout: Layout
    repeat: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]
    dtype: DTypeLike
    own: tuple[Own, ...] = ()

    @nn.compact
    def __call__(
        self,
        batch: Mapping[str, jax.Array],
        *,
        between: Between | None = None,
        after: Sequence[int] = (),
        train: bool = False,
        alone: bool = False,
        places: jax.Array | None = None,
    ) -> dict[str, Any]:
        """Returns the backbone's features ``[b s ...]``, s in the streams' order.

        ``tokens`` are its ``token``. With "time" s is 1, and the frames of the first
        stream come first. The clip of a missing stream is the mean of all clips.

        Where streams have networks of their own there are ``tokens`` and ``places``
        alone, of each stream its last map ``[b n d]``, or None. Of another width than
        the first stream's they are projected to it.

        Args:
          between: what the streams do to one another's maps; those of a missing stream
            are 0 there.
          after: the stages after which they do, counted back from the last, 1.
          train: whether dropout is on.
          alone: of a TimeSformer, every frame as a clip of its own: there are their
            ``tokens [b s t d]``, and nothing else.
          places: of a TimeSformer, ``[b s t u]``: which of u frames of a stream these
            are. Not with "time".
        """
        walks = self._walks(batch, train, alone, places)
        for stage in sorted(after, reverse=True):
            maps: dict[str, jax.Array] = {}
            for walk, names in walks:
                x = einops.rearrange(
                    walk.to(stage), "(b s) ... -> s b ...", s=len(names)
                )
                maps |= zip(names, x, strict=True)
            maps = {
                name: zero_if_missing(maps[name], batch, name, self.streams)
                for name in self.streams
            }
            assert between is not None
            changed = between(stage, tuple(maps.values()), train=train)
            maps = dict(zip(maps, changed, strict=True))
            for walk, names in walks:
                x = jnp.stack([maps[name] for name in names], axis=1)
                walk.x = einops.rearrange(x, "b s ... -> (b s) ...")
        if self.own:
            return self._of_each(walks)
        outs = [walk.end() for walk, _ in walks]
        if alone:  # rows are (b s t), of one network or a stream's
            times = batch[self.streams[0]].shape[1]
            frames = "(b s t) d -> b s t d"
            count = len(self.streams) if self.layout == "passes" else 1
            each = [
                einops.rearrange(x["token"], frames, s=count, t=times) for x in outs
            ]
            return {"tokens": jnp.concatenate(each, axis=1)}
        if self.layout == "unshared":
            out = jax.tree.map(lambda *x: jnp.stack(x, 1), *outs)
        else:  # of the streams in time there is one
            count = len(self.streams) if self.layout == "passes" else 1
            out = jax.tree.map(
                lambda x: einops.rearrange(x, "(b s) ... -> b s ...", s=count), *outs
            )
        return {"tokens": out.pop("token"), **out}

    def _walks(
        self,
        batch: Mapping[str, jax.Array],
        train: bool,
        alone: bool,
        places: jax.Array | None,
    ) -> list[tuple[Walk, tuple[str, ...]]]:
        """Returns the networks before their first stage, and the streams of each."""

        def more(names: Sequence[str]) -> dict[str, Any]:
            if places is None:
                return {"alone": True} if alone else {}
            of = places[:, [self.streams.index(name) for name in names]]
            return {"places": einops.rearrange(of, "b s t u -> (b s) t u")}

        backbone: Any = self.backbone
        common = Own("", backbone, self.mean, self.std)
        apart = {one.stream: one for one in self.own}
        shared = [name for name in self.streams if name not in apart]
        if self.layout == "unshared":
            apart |= dict.fromkeys(shared, common)
            shared = []
        walks = []
        if shared:
            clips = [self._clip(batch, name, common) for name in shared]
            if self.layout == "time":
                clips = [jnp.concatenate(clips, axis=1)]
            walks.append((Walk(backbone, clips, train, **more(shared)), tuple(shared)))
        for name, one in apart.items():
            network: Any = one.network.clone(name=f"backbone_{name}", parent=self)
            clips = [self._clip(batch, name, one)]
            walks.append((Walk(network, clips, train, **more([name])), (name,)))
        return walks

    def _of_each(self, walks: list[tuple[Walk, tuple[str, ...]]]) -> dict[str, Any]:
        """Returns the vectors and the maps of unlike networks, all as wide as one."""
        each = {}
        for walk, names in walks:
            features = walk.end()
            for index, name in enumerate(names):  # whose rows are "(b s)"
                rows = operator.itemgetter(slice(index, None, len(names)))
                each[name] = jax.tree.map(rows, features)
        width = each[self.streams[0]]["token"].shape[-1]
        tokens, places = [], []
        for name in self.streams:
            token = each[name]["token"]
            found = last_map(each[name], token)
            if token.shape[-1] != width:
                project = nn.Dense(width, name=f"project_{name}")
                token = project(token)
                found = None if found is None else project(found)
            tokens.append(token)
            places.append(found)
        return {"tokens": jnp.stack(tokens, axis=1), "places": tuple(places)}

    def _clip(self, batch: Mapping[str, jax.Array], name: str, of: Own) -> jax.Array:
        """Returns a stream as its network wants it."""
        if name not in VIDEOS:  # joints, in metres
            x = stream_of(batch, name, self.streams)
            return zero_if_missing(x, batch, name, self.streams)
        video = normalized(batch, name, self.streams, of.mean, of.std, self.dtype)
        if video.shape[-1] == 1 and self.repeat:
            video = jnp.broadcast_to(video, (*video.shape[:-1], 3))
        return video


def in_time(x: jax.Array) -> jax.Array:
    """Puts the frames of all streams behind one another: ``[b s*t ...]``."""
    return einops.rearrange(x, "b s t ... -> b (s t) ...")
