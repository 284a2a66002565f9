"""I3D: Inception-v1 inflated to 3-D (Carreira and Zisserman, CVPR 2017).

Alphabet: b batch, t frames, h w c a feature map, i o a layer's channels. Padding is
that of the original in every size: TensorFlow's SAME, as integers.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import ClassVar, Literal

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
from jaxact.layers.conv3d import conv3d, max_pool3d, same_padding

NORM_EPSILON = 1e-3
# Intensities from -1 to 1, as the public weights expect.
MEAN, STD = (0.5,), (0.5,)

# Channels of an Inception module: its 1x1x1 branch, reduction and 3x3x3 of the next
# two, and the 1x1x1 after pooling.
MODULES: dict[str, tuple[int, ...]] = {
    "mixed_3b": (64, 96, 128, 16, 32, 32),
    "mixed_3c": (128, 128, 192, 32, 96, 64),
    "mixed_4b": (192, 96, 208, 16, 48, 64),
    "mixed_4c": (160, 112, 224, 24, 64, 64),
    "mixed_4d": (128, 128, 256, 24, 64, 64),
    "mixed_4e": (112, 144, 288, 32, 64, 64),
    "mixed_4f": (256, 160, 320, 32, 128, 128),
    "mixed_5b": (256, 160, 320, 32, 128, 128),
    "mixed_5c": (384, 192, 384, 48, 128, 128),
}
# Window and strides of the pooling before a module.
POOLS = {
    "mixed_3b": ((1, 3, 3), (1, 2, 2)),
    "mixed_4b": ((3, 3, 3), (2, 2, 2)),
    "mixed_5b": ((2, 2, 2), (2, 2, 2)),
}
# What `Staged` calls stages: where the map is about to shrink, and CC-DFARM's two.
STAGE_ENDS = ("mixed_3c", "mixed_4f", "mixed_5b", "mixed_5c")
STEM = (64, 64, 192)  # channels of conv1 (7x7x7), conv2 (1x1x1) and conv3 (3x3x3)


def scaled(width: float, channels: int) -> int:
    """Returns a number of channels of a network ``width`` times as wide, 1 or more."""
    return max(1, round(width * channels))


class Unit(nn.Module):
    """Convolution without bias, batch norm without scale, ReLU."""

    features: int
    window: int = 1
    stride: int = 1
    norm_momentum: float = 0.99
    form: str = "auto"
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        window, strides = (self.window,) * 3, (self.stride,) * 3
        kernel = self.param(
            "kernel",
            nn.initializers.variance_scaling(2.0, "fan_in", "truncated_normal"),
            (*window, x.shape[-1], self.features),
        )
        x = conv3d(
            x.astype(self.dtype),
            kernel.astype(self.dtype),
            strides,
            same_padding(x.shape[1:4], window, strides),
            self.form,
        )
        norm = nn.BatchNorm(
            use_running_average=not train,
            momentum=self.norm_momentum,
            epsilon=NORM_EPSILON,
            use_scale=False,
            dtype=self.dtype,
            name="norm",
        )
        return nn.relu(norm(x))


class Inception(nn.Module):
    """One module: four branches, side by side in their channels."""

    widths: tuple[int, ...]  # as in `MODULES`
    norm_momentum: float = 0.99
    form: str = "auto"
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        def unit(y: jax.Array, index: int, window: int, name: str) -> jax.Array:
            layer = Unit(
                self.widths[index],
                window,
                1,
                self.norm_momentum,
                self.form,
                self.dtype,
                name=name,
            )
            return layer(y, train=train)

        window, strides = (3, 3, 3), (1, 1, 1)
        pooled = max_pool3d(x, window, strides, ((1, 1),) * 3, self.form)
        branches = [
            unit(x, 0, 1, "branch0"),
            unit(unit(x, 1, 1, "branch1_reduce"), 2, 3, "branch1"),
            unit(unit(x, 3, 1, "branch2_reduce"), 4, 3, "branch2"),
            unit(pooled, 5, 1, "branch3"),
        ]
        return jnp.concatenate(branches, axis=-1)


class I3D(Staged):
    """The network up to its last map, in four stages, see `STAGE_ENDS`.

    Attributes:
      width: scales all channels; 1.0 is the published network.
      norm_momentum: of the running statistics (the published 0.999 is for long runs).
      form: see `conv3d`.
      remat: recompute the modules' activations in the backward pass.
    """

    width: float = 1.0
    norm_momentum: float = 0.99
    form: str = "auto"
    remat: bool = False
    dtype: DTypeLike = jnp.float32

    def setup(self) -> None:
        rest = (self.norm_momentum, self.form, self.dtype)
        first, second, third = (scaled(self.width, channels) for channels in STEM)
        self.conv1 = Unit(first, 7, 2, *rest)
        self.conv2 = Unit(second, 1, 1, *rest)
        self.conv3 = Unit(third, 3, 1, *rest)
        make = nn.remat(Inception, static_argnums=(2,)) if self.remat else Inception
        for name, channels in MODULES.items():
            widths = tuple(scaled(self.width, number) for number in channels)
            setattr(self, name, make(widths, *rest))

    @property
    def stage_count(self) -> int:
        return len(STAGE_ENDS)

    def run(self, *videos: jax.Array, train: bool = False) -> Run:
        """Runs clips ``[b t h w c]``; see `Backbone`.

        Returns:
          ``mixed_5b`` and ``mixed_5c``, which is also ``features``, ``[b t/8 h/32 w/32
          c]``, sizes rounded up; ``token`` ``[b c]``, see `pooled`.
        """
        usual = videos[0].shape[-1]

        def stem(channels: int) -> Callable[[jax.Array], jax.Array]:
            unit = self.conv1
            if channels != usual:
                unit = self.conv1.clone(
                    name=stem_name("conv1", channels, usual), parent=self
                )
            return functools.partial(unit, train=train)

        x = run_stems(videos, stem)
        x = self._pool(x, (1, 3, 3), (1, 2, 2))
        x = self.conv3(self.conv2(x, train=train), train=train)
        ends = {}
        for name in MODULES:
            if name in POOLS:
                x = self._pool(x, *POOLS[name])
            x = getattr(self, name)(x, train)
            if name in STAGE_ENDS:
                x = ends[name] = yield x
        middle = {"mixed_5b": ends["mixed_5b"], "mixed_5c": x}
        return {"token": pooled(x), "features": x, **middle}

    def _pool(
        self, x: jax.Array, window: tuple[int, ...], strides: tuple[int, ...]
    ) -> jax.Array:
        padding = same_padding(x.shape[1:4], window, strides)
        return max_pool3d(x, window, strides, padding, self.form)


def pooled(x: jax.Array) -> jax.Array:
    """Averages the last map ``[b t h w c]`` as the published network does: ``[b c]``.

    It averages over windows of two frames and all places, and the windows' logits over
    time: frames at the ends stand in one window, all others in two. Float32.
    """
    x = einops.reduce(x.astype(jnp.float32), "b t h w c -> b t c", "mean")
    if x.shape[1] > 1:
        x = 0.5 * (x[:, 1:] + x[:, :-1])
    return x.mean(axis=1)


@dataclasses.dataclass
class I3DConfig(BackboneConfig):
    """I3D's fields; the defaults are the published network's."""

    mean: ClassVar[tuple[float, ...]] = MEAN
    std: ClassVar[tuple[float, ...]] = STD
    width: float = 1.0  # of all channels
    norm_momentum: float = 0.99
    conv3d: Literal["auto", "native", "taps"] = "auto"  # see jaxact.layers.conv3d
    remat: bool = False

    def build(self, dtype: DTypeLike) -> I3D:
        return I3D(self.width, self.norm_momentum, self.conv3d, self.remat, dtype)
