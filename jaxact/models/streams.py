"""What all TimeSformer models of image streams share: config fields and branches."""

import dataclasses
from typing import Any

import einops
import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxact.backbones.timesformer import TimeSformer
from jaxact.batch import IMAGE_CHANNELS, normalize_video
from jaxact.config import ModelConfig

# Intensities are centred and scaled alike in all streams and channels, as in the public
# TimeSformer recipe (mean 0.45, standard deviation 0.225).
MEAN, STD = (0.45,), (0.225,)


@dataclasses.dataclass
class TimeSformerStreamsConfig(ModelConfig):
    """TimeSformer branches over image streams; the defaults are STAFusion's."""

    streams: tuple[str, ...] = ("rgb", "ir")
    frames: int = 8  # of each stream
    image_size: int = 224
    patch: int = 16
    width: int = 768
    depth: int = 10  # with shared weights, the only reading of Table 1's 101 M
    heads: int = 12
    mlp_ratio: float = 4.0
    dropout: float = 0.0
    drop_path: float = 0.0
    share_backbone: bool = True  # False: every stream has weights of its own
    ir_embedding: str = "repeat"  # "repeat" to three channels | "single" channel
    remat: bool = False  # recompute activations in the backward pass
    # Standard deviations of the position and time embeddings at the start. The defaults
    # are TimeSformer's; from random weights on little data larger ones learn sooner.
    position_std: float = 0.02
    time_std: float = 0.0

    def inputs(self) -> dict[str, jax.ShapeDtypeStruct]:
        unknown = [name for name in self.streams if name not in IMAGE_CHANNELS]
        if unknown or not self.streams:
            raise ValueError(
                f"Got streams {self.streams}; expected one or more of "
                f"{tuple(IMAGE_CHANNELS)}."
            )
        size = (self.frames, self.image_size, self.image_size)
        return {
            name: jax.ShapeDtypeStruct((*size, IMAGE_CHANNELS[name]), jnp.uint8)
            for name in self.streams
        }

    def branches(self) -> dict[str, Any]:
        """Returns the fields of `Branches` this config sets."""
        if self.ir_embedding not in ("repeat", "single"):
            raise ValueError(
                f"Got ir_embedding={self.ir_embedding!r}; expected 'repeat' or "
                "'single'."
            )
        backbone = dict(
            patch=self.patch,
            width=self.width,
            depth=self.depth,
            heads=self.heads,
            mlp_ratio=self.mlp_ratio,
            dropout=self.dropout,
            drop_path=self.drop_path,
            remat=self.remat,
            position_std=self.position_std,
            time_std=self.time_std,
            dtype=jnp.dtype(self.dtype),
        )
        return dict(
            streams=self.streams,
            backbone=backbone,
            share=self.share_backbone,
            single_channel=self.ir_embedding == "single",
        )


class Branches(nn.Module):
    """The streams' backbones: one run over all streams if shared, else one each."""

    streams: tuple[str, ...]
    backbone: Any  # fields of `TimeSformer`
    share: bool
    single_channel: bool

    def _video(self, batch: dict[str, jax.Array], stream: str) -> jax.Array:
        if stream not in batch:
            raise KeyError(
                f"The batch has no stream {stream!r}, only {sorted(batch)}; the model "
                f"expects {self.streams}."
            )
        dtype: DTypeLike = self.backbone["dtype"]
        video = normalize_video(batch[stream], MEAN, STD, dtype)
        if video.shape[-1] == 1 and not self.single_channel:
            video = jnp.broadcast_to(video, (*video.shape[:-1], 3))
        return video

    @nn.compact
    def __call__(
        self, batch: dict[str, jax.Array], *, train: bool = False
    ) -> dict[str, Any]:
        """Returns tokens ``[b s d]``, patches ``[b s*t n d]``, queries and keys: tuples
        of ``[b s*t 1+n a d]`` a layer. Frames stand in stream order."""
        videos = [self._video(batch, stream) for stream in self.streams]
        if self.share:
            out = TimeSformer(**self.backbone, name="backbone")(*videos, train=train)
            tokens, patches, queries, keys = jax.tree.map(
                lambda x: einops.rearrange(x, "(b s) ... -> b s ...", s=len(videos)),
                (out["token"], out["patches"], out["queries"], out["keys"]),
            )
        else:
            outs = [
                TimeSformer(**self.backbone, name=f"backbone_{stream}")(
                    video, train=train
                )
                for stream, video in zip(self.streams, videos, strict=True)
            ]
            tokens, patches, queries, keys = (
                jax.tree.map(lambda *x: jnp.stack(x, 1), *[out[name] for out in outs])
                for name in ("token", "patches", "queries", "keys")
            )

        def in_time(x: jax.Array) -> jax.Array:
            return einops.rearrange(x, "b s t ... -> b (s t) ...")

        return {
            "tokens": tokens,
            "patches": in_time(patches),
            "queries": tuple(in_time(x) for x in queries),
            "keys": tuple(in_time(x) for x in keys),
        }


class Head(nn.Module):
    """The classifier: ``[b d]`` to logits ``[b y]`` in float32."""

    num_classes: int
    dropout: float = 0.0

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        x = nn.Dropout(self.dropout)(x, deterministic=not train)
        return nn.Dense(self.num_classes, dtype=jnp.float32, name="fc")(x)
