"""TSM-NetVLAD: a ResNet with temporal shifts, RGB differences and VLAD pooling.

Colour video and its differences from frame to frame each have a network of their own
("streams"). The paper trains them apart and averages their scores, which is what
``python -m jaxact fuse`` does; both can be trained jointly here too.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, Literal

import einops
import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxact.backbones.resnet import (
    FRAME_WISE,
    VARIANTS,
    ResNet,
    shift_of,
)
from jaxact.batch import IMAGENET_MEAN, IMAGENET_STD, PRESENT
from jaxact.config import Experiment, ModelConfig
from jaxact.layers.class_activation import class_activation_maps
from jaxact.layers.fusions.plain import Average
from jaxact.layers.head import Head
from jaxact.layers.netvlad import NetVLAD
from jaxact.losses import CrossEntropy
from jaxact.models import netvlad_start
from jaxact.models.streams import normalized, video_inputs

# What a pooled vector is multiplied by before the classifier, unless the config says.
HEAD_SCALES = {"average": 1.0, "netvlad": 16.0}


@dataclasses.dataclass
class TSMNetVLADConfig(ModelConfig):
    """One ResNet a stream; the defaults are the paper's, for one stream.

    With ``shift_fraction=0`` and ``pooling="average"`` it is a plain ResNet (TSN).
    """

    streams: tuple[str, ...] = ("rgb",)  # of "rgb", "rgb_diff", "ir"
    # By which the streams' scores are averaged; (): all alike.
    stream_weights: tuple[float, ...] = ()
    frames: int = 8  # one of each of so many segments
    image_size: int = 224
    # The trunk: units of each stage (see `resnet.VARIANTS`), width of the first one.
    blocks: tuple[int, ...] = VARIANTS["resnet50"]
    width: int = 64
    # Batch norms that neither learn nor adapt: "all" (section 3.1) | "partial" (all but
    # the first: TSN, TSM) | "none" (for training from random weights) | "auto": all of
    # colours, partial of differences and infrared, whose first convolution sees other
    # inputs than the statistics were made of.
    frozen_norm: Literal["auto", "all", "partial", "none"] = "auto"
    remat: bool = False  # recompute activations in the backward pass
    shift_fraction: float = 1 / 8  # of the channels, each way; 0: no shift
    pooling: Literal["netvlad", "average"] = "netvlad"
    clusters: int = 64  # not stated; NetVLAD's own number
    alpha: float = 1000.0  # at the start
    frame_vlad: bool = False  # pool every frame by itself and average the vectors
    # Training clips whose features give the first centres; 0: they stay random.
    kmeans_clips: int = 256
    # Factor on the pooled vector before the classifier; 0: the pooling's own, see
    # `HEAD_SCALES`. NetVLAD's vector has length 1, a published ResNet's average 12 to
    # 20: at one learning rate the former's head would learn some 200 times as slowly.
    head_scale: float = 0.0
    dropout: float = 0.5  # before the classifier

    def inputs(self) -> dict[str, jax.ShapeDtypeStruct]:
        return video_inputs(self.streams, self.frames, self.image_size)

    def build(self) -> "TSMNetVLAD":
        if self.head_scale < 0:
            raise ValueError(
                f"Got head_scale {self.head_scale}; expected a positive factor, or 0 "
                f"for the pooling's own of {HEAD_SCALES}."
            )
        weights = self.stream_weights or (1.0,) * len(self.streams)
        if len(weights) != len(self.streams) or min(weights) <= 0:
            raise ValueError(
                f"Got stream_weights {weights} for the streams {self.streams}; "
                "expected a positive number for each."
            )
        trunk = ResNet(
            blocks=self.blocks,
            width=self.width,
            time_strides=FRAME_WISE,
            shift=shift_of(self.width, self.shift_fraction),
            remat=self.remat,
            dtype=jnp.dtype(self.dtype),
        )
        return TSMNetVLAD(
            num_classes=self.num_classes,
            streams=self.streams,
            average=Average(of_probabilities=True, weights=weights),
            trunk=trunk,
            frozen_norms=tuple(self._frozen(name) for name in self.streams),
            vlad=NetVLAD(self.clusters, self.alpha)
            if self.pooling == "netvlad"
            else None,
            frame_vlad=self.frame_vlad,
            head_scale=self.head_scale or HEAD_SCALES[self.pooling],
            dropout=self.dropout,
        )

    def _frozen(self, stream: str) -> str:
        if self.frozen_norm == "auto":
            return "all" if stream == "rgb" else "partial"
        return self.frozen_norm

    def losses(self) -> tuple[Any, ...]:
        return (CrossEntropy(),)

    def notes(self, experiment: Experiment) -> list[str]:
        frozen = any(self._frozen(name) != "none" for name in self.streams)
        if not frozen or experiment.train.init_from:
            return []
        return [
            "batch norms are frozen, and the weights are random: their statistics are "
            "of no data. Give weights with --config.train.init_from, or train from "
            "random ones with --config.model.frozen_norm=none."
        ]

    def prepare(
        self,
        params: Any,
        batch_stats: Any,
        batches: Callable[[], Iterator[Any]],
        seed: int,
    ) -> Any:
        """Starts NetVLAD's centres by k-means; see `jaxact.models.netvlad_start`."""
        if self.pooling != "netvlad" or not self.kmeans_clips:
            return params
        module, streams = self.build(), self.streams

        def features(params: Any, batch_stats: Any, batch: Any) -> dict[str, jax.Array]:
            # As the first step will see them: norms that learn take the batch's
            # statistics, frozen ones the stored. Dropout comes behind the features.
            variables = {"params": params, "batch_stats": batch_stats}
            out, _ = module.apply(
                variables,
                batch,
                train=True,
                rngs={"dropout": jax.random.key(0)},
                mutable=["batch_stats"],
            )
            maps = einops.rearrange(
                out["features"], "b (s t) h w c -> s b (t h w) c", s=len(streams)
            )
            return {f"pool_{name}": x for name, x in zip(streams, maps, strict=True)}

        return netvlad_start.start_centres(
            features,
            params,
            batch_stats,
            batches(),
            clusters=self.clusters,
            alpha=self.alpha,
            clips=self.kmeans_clips,
            seed=seed,
        )


class TSMNetVLAD(nn.Module):
    """The model; `TSMNetVLADConfig` explains its fields."""

    num_classes: int
    streams: tuple[str, ...]
    average: Average  # of several streams' scores
    trunk: ResNet  # every stream has one of its own
    frozen_norms: tuple[str, ...]  # of each stream's
    vlad: NetVLAD | None  # None: the mean
    frame_vlad: bool
    head_scale: float
    dropout: float

    @nn.compact
    def __call__(
        self, batch: dict[str, jax.Array], *, train: bool = False
    ) -> dict[str, jax.Array]:
        """Recognises a batch.

        Args:
          batch: ``rgb`` and ``ir`` uint8, ``rgb_diff`` int16, ``[b t h w c]``.
          train: turns on dropout (rng "dropout"), and batch norms that are not frozen.

        Returns:
          ``logits`` ``[b y]``; ``features`` ``[b s*t h w c]``, the last maps; with
          NetVLAD ``assignments`` ``[b s*t h w k]``, the clusters' shares of each place;
          ``activation`` ``[b s*t h w]``, class activation maps of the predicted class:
          a stream's mean is its logit, but for the bias. Of several streams there are
          also ``NAME_logits`` ``[b y]`` of each, and ``logits`` are the logarithm of
          their averaged softmax scores.
        """
        streams = [self._stream(batch, name, train) for name in self.streams]
        logits = [stream["logits"] for stream in streams]
        out: dict[str, Any] = {}
        if len(logits) == 1:
            out["logits"] = logits[0]
        else:
            each_logits = {"logits": jnp.stack(logits, axis=1)}
            out |= self.average(each_logits, batch.get(PRESENT), train=train)
            for name, each in zip(self.streams, logits, strict=True):
                out[f"{name}_logits"] = each
        predicted = out["logits"].argmax(axis=-1)
        maps = [stream["activation"](predicted) for stream in streams]
        out["activation"] = jnp.concatenate(maps, axis=1)
        for name in ("features", "assignments"):
            if name in streams[0]:
                parts = [stream[name] for stream in streams]
                out[name] = jnp.concatenate(parts, axis=1)
        return out

    def _stream(self, batch: Any, name: str, train: bool) -> dict[str, Any]:
        """Returns one stream's logits, features, assignments and, by class, its map."""
        frozen = self.frozen_norms[self.streams.index(name)]
        backbone = self.trunk.clone(
            frozen_norm=frozen, name=f"backbone_{name}", parent=self
        )
        video = normalized(
            batch, name, self.streams, IMAGENET_MEAN, IMAGENET_STD, self.trunk.dtype
        )
        features = (of_backbone := backbone(video, train=train))["features"]
        _, t, h, w, _ = features.shape
        out: dict[str, Any] = {"features": features}
        head = Head(self.num_classes, self.dropout, name=f"head_{name}")

        if self.vlad is None:
            vector = of_backbone["token"]
        else:
            # A bag of positions: those of the whole video, or of one frame.
            bags = "(b t) (h w)" if self.frame_vlad else "b (t h w)"
            x = einops.rearrange(features, f"b t h w c -> {bags} c")
            pooled = self.vlad.clone(name=f"pool_{name}", parent=self)(x)
            frames = t if self.frame_vlad else 1
            vector = einops.reduce(pooled.vector, "(b f) d -> b d", "mean", f=frames)
            out["assignments"] = einops.rearrange(
                pooled.assignments, f"{bags} k -> b t h w k", t=t, h=h, w=w
            )
        out["logits"] = head(self.head_scale * vector, train=train)
        kernel = self.head_scale * head.variables["params"]["fc"]["kernel"]

        def activation(predicted: jax.Array) -> jax.Array:
            if self.vlad is None:
                return class_activation_maps(features, kernel, predicted)
            with jax.named_scope("activation"):
                weights = einops.repeat(
                    kernel[:, predicted], "d b -> (b f) d", f=frames
                )
                shares = pooled.contributions(weights) * (t * h * w / frames)
                return einops.rearrange(shares, f"{bags} -> b t h w", t=t, h=h, w=w)

        out["activation"] = activation
        return out
