"""Residual networks of bottlenecks (He et al. 2016) on video: C2D, C3D and frame-wise.

Alphabet: b batch, t frames, h w c a feature map, i o a layer's channels. Frames are
folded into the batch for everything that does not look along time, so that a C2D costs
what the image network costs.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, ClassVar, Literal

import einops
import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxact.backbones.protocol import (
    BackboneConfig,
    Run,
    Staged,
    run_stems,
    stem_name,
)
from jaxact.batch import IMAGENET_MEAN, IMAGENET_STD
from jaxact.layers.batch_norm import BatchNorm
from jaxact.layers.conv3d import conv3d, max_pool3d
from jaxact.layers.pointwise import pointwise
from jaxact.layers.temporal_shift import shifted_channels, temporal_shift
from jaxact.strict import check_choice

EXPANSION = 4  # a bottleneck's output channels over its width
STAGE_STRIDES = (1, 2, 2, 2)  # of the first unit's 3x3 convolution, as in torchvision

# Units of each stage.
VARIANTS: dict[str, tuple[int, ...]] = {
    "resnet50": (3, 4, 6, 3),
    "resnet101": (3, 4, 23, 3),
    "resnet152": (3, 8, 36, 3),
}
# Strides along time of conv1, pool1 and pool2 (1: no pooling along time at all). C2D is
# DAM's Table 2, whose sizes (32 -> 16 -> 8 -> 4 frames) win over its strides.
C2D_TIME_STRIDES = (2, 2, 2)
FRAME_WISE = (1, 1, 1)

# Which batch norms are frozen: "partial" is all but the first, as TSN and TSM train:
# from weights of other inputs, only it adapts to what it sees.
FrozenNorm = Literal["none", "partial", "all"]

# What a model puts between units: (stage, unit, x) -> x, both counted from 1.
BeforeUnit = Callable[[int, int, jax.Array], jax.Array]
# A module (x, train) -> x, made with ``dtype`` and ``name`` where it is called.
MakeModule = Callable[..., Any]

_he = nn.initializers.variance_scaling(2.0, "fan_out", "truncated_normal")


class Pointwise(nn.Module):
    """A 1x1x1 convolution without bias: ``[... i] -> [... o]``, one matrix product."""

    features: int
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = self.param("kernel", _he, (x.shape[-1], self.features))
        return pointwise(x.astype(self.dtype), kernel.astype(self.dtype))


class Temporal(nn.Module):
    """A kx1x1 convolution (k odd, zero padding) without bias, kernel ``[k i o]``."""

    features: int
    taps: int = 3
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        size, reach = x.shape[1], self.taps // 2
        kernel = self.param("kernel", _he, (self.taps, x.shape[-1], self.features))
        x = jnp.pad(
            x.astype(self.dtype), ((0, 0), (reach, reach), (0, 0), (0, 0), (0, 0))
        )
        # All taps side by side: one matrix product for all of them.
        x = jnp.concatenate([x[:, k : k + size] for k in range(self.taps)], axis=-1)
        kernel = einops.rearrange(kernel.astype(self.dtype), "k i o -> (k i) o")
        return pointwise(x, kernel)


class Spatial(nn.Module):
    """A 1xkxk convolution (k odd) without bias, frames folded into the batch."""

    features: int
    size: int = 3
    stride: int = 1
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        reach = self.size // 2
        shape = (self.size, self.size, x.shape[-1], self.features)
        kernel = self.param("kernel", _he, shape)
        y = jax.lax.conv_general_dilated(
            einops.rearrange(x.astype(self.dtype), "b t h w c -> (b t) h w c"),
            kernel.astype(self.dtype),
            (self.stride, self.stride),
            ((reach, reach), (reach, reach)),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        return einops.rearrange(y, "(b t) h w c -> b t h w c", b=x.shape[0])


class Convolution(nn.Module):
    """A convolution ``[b t h w i] -> [b t h w o]`` without bias, half of k as padding.

    Its kernel is ``[k l m i o]``.
    """

    features: int
    window: tuple[int, int, int]
    strides: tuple[int, int, int] = (1, 1, 1)
    form: str = "auto"
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (*self.window, x.shape[-1], self.features)
        kernel = self.param("kernel", _he, shape).astype(self.dtype)
        padding = tuple((k // 2, k // 2) for k in self.window)
        return conv3d(x.astype(self.dtype), kernel, self.strides, padding, self.form)


class Bottleneck(nn.Module):
    """One residual unit: 1x1x1 (or kx1x1), 1x3x3, 1x1x1 to four times the width.

    Attributes:
      taps: of the first convolution along time; 1 looks at one frame.
      shift: applied to ``[b t h w c]`` before the first convolution, on the residual
        branch alone.
      after_first: makes the module that follows the first convolution's ReLU.
    """

    width: int
    stride: int = 1
    taps: int = 1
    shift: Callable[[jax.Array], jax.Array] | None = None
    after_first: MakeModule | None = None
    frozen_norm: bool = False
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        def norm(y: jax.Array, name: str) -> jax.Array:
            layer = BatchNorm(self.frozen_norm, dtype=self.dtype, name=name)
            return layer(y, train=train)

        y = x if self.shift is None else self.shift(x)
        if self.taps > 1:
            y = Temporal(self.width, self.taps, self.dtype, name="conv1")(y)
        else:
            y = Pointwise(self.width, self.dtype, name="conv1")(y)
        y = nn.relu(norm(y, "norm1"))
        if self.after_first is not None:
            y = self.after_first(dtype=self.dtype, name="after_first")(y, train=train)
        y = Spatial(self.width, 3, self.stride, self.dtype, name="conv2")(y)
        y = nn.relu(norm(y, "norm2"))
        out = EXPANSION * self.width
        y = norm(Pointwise(out, self.dtype, name="conv3")(y), "norm3")
        if x.shape[-1] != out or self.stride > 1:
            x = x[:, :, :: self.stride, :: self.stride]
            x = Pointwise(out, self.dtype, name="project")(x)
            x = norm(x, "project_norm")
        return nn.relu(x + y)


def _pool(x: jax.Array, strides: tuple[int, int, int]) -> jax.Array:
    """Takes maxima of three neighbours along the axes that it strides over."""
    window = tuple(3 if stride > 1 else 1 for stride in strides)
    return max_pool3d(x, window, strides, tuple((k // 2, k // 2) for k in window))


class ResNet(Staged):
    """A residual network on normalised video ``[b t h w c]``; the defaults are C2D-50.

    Attributes:
      blocks: units of each stage, see `VARIANTS`.
      width: of the first stage's bottlenecks; every stage doubles it.
      time_strides: see `C2D_TIME_STRIDES`.
      inflated: C3D_{3x1x1}: the first convolution of every second unit, from the first
        one on, spans three frames.
      shift, after_first: see `Bottleneck`.
      before_unit: called before every unit; where a model puts its own blocks.
      frozen_norm: which norms are frozen, of `FrozenNorm`; see `BatchNorm`.
      remat: recompute the units' activations in the backward pass.
    """

    blocks: tuple[int, ...] = VARIANTS["resnet50"]
    width: int = 64
    time_strides: tuple[int, int, int] = C2D_TIME_STRIDES
    inflated: bool = False
    shift: Callable[[jax.Array], jax.Array] | None = None
    after_first: MakeModule | None = None
    before_unit: BeforeUnit | None = None
    frozen_norm: FrozenNorm = "none"
    remat: bool = False
    dtype: DTypeLike = jnp.float32

    @property
    def stage_count(self) -> int:
        return len(self.blocks)

    def run(self, *videos: jax.Array, train: bool = False) -> Run:
        """Runs clips ``[b t h w c]`` of any channels; see `Backbone`.

        Returns:
          ``features`` ``[b t h w c]``, t, h and w divided by the strides; ``token``
          ``[b c]``, their mean in float32; ``stages``, every stage's last map.

        Raises:
          ValueError: a stride in time is longer than the frames that are left.
        """
        check_choice("frozen_norm", FrozenNorm, self.frozen_norm)
        first, second, third = self.time_strides
        left = videos[0].shape[1]
        for stride in self.time_strides:
            if 1 < left < stride:
                raise ValueError(
                    f"Got time_strides {self.time_strides} and {videos[0].shape[1]} "
                    f"frames: a stride of {stride} where {left} of them are left. "
                    "Give strides that the frames can make, or more frames."
                )
            left = -(-left // stride)

        def stem(channels: int) -> Spatial:
            name = stem_name("conv1", channels, videos[0].shape[-1])
            return Spatial(self.width, 7, 2, self.dtype, name=name)

        x = run_stems([video[:, ::first] for video in videos], stem)
        norm = BatchNorm(self.frozen_norm == "all", dtype=self.dtype, name="norm1")
        x = nn.relu(norm(x, train=train))
        x = _pool(x, (second, 2, 2))

        make_unit = nn.remat(Bottleneck, static_argnums=(2,))
        if not self.remat:
            make_unit = Bottleneck
        stages, number = [], 0
        for stage, units in enumerate(self.blocks, 1):
            if stage == 2 and third > 1:
                x = _pool(x, (third, 1, 1))
            for unit in range(1, units + 1):
                if self.before_unit is not None:
                    x = self.before_unit(stage, unit, x)
                x = make_unit(
                    self.width * 2 ** (stage - 1),
                    STAGE_STRIDES[stage - 1] if unit == 1 else 1,
                    3 if self.inflated and number % 2 == 0 else 1,
                    self.shift,
                    self.after_first,
                    self.frozen_norm != "none",
                    self.dtype,
                    name=f"res{stage}_{unit}",
                )(x, train)
                number += 1
            x = yield x
            stages.append(x)
        token = x.mean(axis=(1, 2, 3), dtype=jnp.float32)
        return {"token": token, "features": x, "stages": tuple(stages)}


@dataclasses.dataclass
class TSMResNetConfig(BackboneConfig):
    """A residual network with temporal shifts (Lin et al. 2019); TSM-ResNet-50.

    Without a shift it is a C2D network: frame-wise (TSN), or with ``time_strides``.
    """

    mean: ClassVar[tuple[float, ...]] = IMAGENET_MEAN
    std: ClassVar[tuple[float, ...]] = IMAGENET_STD
    blocks: tuple[int, ...] = VARIANTS["resnet50"]
    width: int = 64
    shift_fraction: float = 1 / 8  # of the channels, each way; 0: no shift
    time_strides: tuple[int, ...] = FRAME_WISE  # of conv1, pool1 and pool2
    inflated: bool = False  # C3D_{3x1x1}
    frozen_norm: FrozenNorm = "none"
    remat: bool = False

    def build(self, dtype: DTypeLike) -> ResNet:
        first, second, third = self.time_strides
        return ResNet(
            blocks=self.blocks,
            width=self.width,
            time_strides=(first, second, third),
            inflated=self.inflated,
            shift=shift_of(self.width, self.shift_fraction),
            frozen_norm=self.frozen_norm,
            remat=self.remat,
            dtype=dtype,
        )


def shift_of(width: int, fraction: float) -> Callable[[jax.Array], jax.Array] | None:
    """Returns `Bottleneck`'s shift of this fraction of the channels; None for 0.

    Raises:
      ValueError: the fraction cannot be had of so many channels.
    """
    shifted_channels(width, fraction)
    return functools.partial(temporal_shift, fraction=fraction) if fraction else None
