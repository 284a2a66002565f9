"""Video-FocalNet: focal modulation in space and in time (Wasim et al. 2023).

Alphabet: b batch, t h w a grid of tokens, c channels, l focal levels.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal

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
from jaxact.layers.conv3d import conv3d, depthwise_conv3d
from jaxact.layers.mlp import DropPath, Mlp, TransformerDense, gelu
from jaxact.layers.patches import patches

EPSILON = 1e-5

# The paper's T, S and B on 8 frames of 224 x 224, with their published drop path.
VARIANTS: dict[str, dict[str, Any]] = {
    "tiny": dict(width=96, depths=(2, 2, 6, 2), drop_path=0.2),
    "small": dict(width=96, depths=(2, 2, 18, 2), drop_path=0.3),
    "base": dict(width=128, depths=(2, 2, 18, 2), drop_path=0.5),
}


def aggregate(
    context: jax.Array,
    gates: jax.Array,
    levels: Sequence[Callable[[jax.Array], jax.Array]],
    axes: tuple[int, ...],
) -> jax.Array:
    """Sums ever wider contexts by their gates: ``sum_l g_l z_l + g_L z_L``.

    ``z_l = GELU(conv_l(z_(l-1)))``, and the last one is the GELU of the mean of them
    over the axes.

    Args:
      context: ``z_0 [b t h w c]``.
      gates: ``[b t h w l+1]``.
      levels: the convolutions.
    """
    total = jnp.zeros_like(context)
    for number, convolve in enumerate(levels):
        context = gelu(convolve(context))
        total = total + context * gates[..., number : number + 1]
    whole = gelu(context.mean(axis=axes, keepdims=True))
    return total + whole * gates[..., len(levels) :]


class FocalConvolution(nn.Module):
    """The convolution of one level: ``k x k`` of each channel, or k along time of all.

    Attributes:
      window: of t, h and w.
      each: every channel by itself.
    """

    window: tuple[int, int, int]
    each: bool
    form: str = "auto"
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        c = x.shape[-1]
        shape = (*self.window, c) if self.each else (*self.window, c, c)
        init = nn.initializers.variance_scaling(1.0, "fan_in", "truncated_normal")
        if self.each:  # its fan is the window alone
            std = (self.window[0] * self.window[1] * self.window[2]) ** -0.5
            init = nn.initializers.truncated_normal(std)
        kernel = self.param("kernel", init, shape).astype(self.dtype)
        padding = tuple((k // 2, k // 2) for k in self.window)
        convolve = depthwise_conv3d if self.each else conv3d
        return convolve(x, kernel, (1, 1, 1), padding, self.form)


class FocalModulation(nn.Module):
    """Modulates each token by contexts in its frame and over time, ``[b t h w c]``.

    ``y = Linear(q * h(S) * h_t(T))``: S the contexts in frames, T those of a place over
    time, both aggregated from the same input.
    """

    levels: int = 2
    window: int = 3
    dropout: float = 0.0
    form: str = "auto"
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        c, last = x.shape[-1], self.levels + 1

        def dense(name: str, features: int) -> TransformerDense:
            return TransformerDense(features, dtype=self.dtype, name=name)

        def pointwise(name: str) -> nn.Dense:
            return nn.Dense(c, dtype=self.dtype, name=name)

        def levels(name: str, space: bool) -> list[Callable[[jax.Array], jax.Array]]:
            sizes = [self.window + 2 * level for level in range(self.levels)]
            return [
                FocalConvolution(
                    (1, k, k) if space else (k, 1, 1),
                    space,
                    self.form,
                    self.dtype,
                    name=f"{name}_{level}",
                )
                for level, k in enumerate(sizes)
            ]

        y = dense("space_in", 2 * c + last)(x)
        query, context, gates = jnp.split(y, [c, 2 * c], axis=-1)
        space = aggregate(context, gates, levels("space", True), (2, 3))
        context, gates = jnp.split(dense("time_in", c + last)(x), [c], axis=-1)
        time = aggregate(context, gates, levels("time", False), (1,))
        y = query * pointwise("space_out")(space) * pointwise("time_out")(time)
        y = dense("out_proj", c)(y)
        return nn.Dropout(self.dropout)(y, deterministic=not train)


class FocalBlock(nn.Module):
    """Modulation, then an MLP; pre-norm, residual."""

    levels: int = 2
    window: int = 3
    mlp_ratio: float = 4.0
    dropout: float = 0.0
    drop_path: float = 0.0
    form: str = "auto"
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Takes and returns ``[b t h w c]``."""

        def norm(name: str) -> nn.LayerNorm:
            return nn.LayerNorm(epsilon=EPSILON, dtype=self.dtype, name=name)

        modulation = FocalModulation(
            self.levels,
            self.window,
            self.dropout,
            self.form,
            self.dtype,
            name="modulation",
        )
        y = modulation(norm("modulation_norm")(x), train)
        x = x + DropPath(self.drop_path)(y, train=train)
        mlp = Mlp(
            self.mlp_ratio, self.dropout, self.dtype, dense=TransformerDense, name="mlp"
        )
        y = mlp(norm("mlp_norm")(x), train=train)
        return x + DropPath(self.drop_path)(y, train=train)


class VideoFocalNet(Staged):
    """The backbone on normalised video; the defaults are Video-FocalNet-T's.

    Attributes:
      width: of the first stage; every stage doubles it and halves h and w.
      depths: blocks of each stage.
      levels, window: of focal modulation; each level's window is wider by 2.
      patch: pixels of a token along t (the published code's tubelet), h and w.
      drop_path: of the last block; grows linearly from 0.
      form: of convolutions, see `jaxact.layers.conv3d`.
      remat: recompute the blocks' activations in the backward pass.
    """

    width: int = 96
    depths: tuple[int, ...] = (2, 2, 6, 2)
    levels: int = 2
    window: int = 3
    patch: tuple[int, int, int] = (1, 4, 4)
    mlp_ratio: float = 4.0
    dropout: float = 0.0
    drop_path: float = 0.2
    form: str = "auto"
    remat: bool = False
    dtype: DTypeLike = jnp.float32

    @property
    def stage_count(self) -> int:
        return len(self.depths)

    def run(self, *videos: jax.Array, train: bool = False) -> Run:
        """Embeds ``[b t h w c]`` and runs the stages; see `Backbone`.

        Returns:
          ``features`` ``[b t h w c]`` after the last norm; ``token`` ``[b c]``, their
          mean in float32; ``stages``, every stage's last map.

        Raises:
          ValueError: a clip cannot be halved as often as there are stages.
        """
        half = 2 ** (len(self.depths) - 1)
        wanted = (self.patch[0], self.patch[1] * half, self.patch[2] * half)
        size = videos[0].shape[1:4]
        if any(n % k for n, k in zip(size, wanted, strict=True)):
            raise ValueError(
                f"Got clips of {size} (frames, height, width); a Video-FocalNet of "
                f"{len(self.depths)} stages wants multiples of {wanted}."
            )

        def stem(channels: int) -> Callable[[jax.Array], jax.Array]:
            name = stem_name("patch_embed", channels, videos[0].shape[-1])
            dense = nn.Dense(self.width, dtype=self.dtype, name=name)
            return lambda video: dense(patches(video, self.patch))

        def norm(name: str) -> nn.LayerNorm:
            return nn.LayerNorm(epsilon=EPSILON, dtype=self.dtype, name=name)

        x = norm("patch_norm")(run_stems(videos, stem))
        x = nn.Dropout(self.dropout)(x, deterministic=not train)
        make_block = nn.remat(FocalBlock, static_argnums=(2,))
        if not self.remat:
            make_block = FocalBlock
        total, number, stages = sum(self.depths), 0, []
        for stage, depth in enumerate(self.depths):
            if stage:
                width = self.width * 2**stage
                name = f"merging_{stage}"
                merge = nn.Dense(width, dtype=self.dtype, name=name)
                x = norm(f"merging_norm_{stage}")(merge(patches(x, (1, 2, 2))))
            for block in range(depth):
                x = make_block(
                    self.levels,
                    self.window,
                    self.mlp_ratio,
                    self.dropout,
                    self.drop_path * number / max(total - 1, 1),
                    self.form,
                    self.dtype,
                    name=f"stage{stage + 1}_{block}",
                )(x, train)
                number += 1
            x = yield x
            stages.append(x)
        x = norm("final_norm")(x)
        token = x.mean(axis=(1, 2, 3), dtype=jnp.float32)
        return {"token": token, "features": x, "stages": tuple(stages)}


@dataclasses.dataclass
class VideoFocalNetConfig(BackboneConfig):
    """Video-FocalNet-T; `VARIANTS` has the others' fields."""

    mean: ClassVar[tuple[float, ...]] = IMAGENET_MEAN
    std: ClassVar[tuple[float, ...]] = IMAGENET_STD
    width: int = 96
    depths: tuple[int, ...] = (2, 2, 6, 2)
    levels: int = 2
    window: int = 3  # of the first level; the next is wider by 2
    patch: tuple[int, ...] = (1, 4, 4)  # pixels of a token
    mlp_ratio: float = 4.0
    dropout: float = 0.0
    drop_path: float = 0.2
    conv3d: Literal["auto", "native", "taps"] = "auto"
    remat: bool = False

    def build(self, dtype: DTypeLike) -> VideoFocalNet:
        if len(self.patch) != 3 or min(self.patch) < 1:
            raise ValueError(
                f"Got patch {self.patch}; expected three sizes, of t, h and w."
            )
        if self.window % 2 == 0 or self.levels < 1:
            raise ValueError(
                f"Got window {self.window} and {self.levels} levels; expected an odd "
                "window, and one level or more."
            )
        fields = dataclasses.asdict(self)
        return VideoFocalNet(form=fields.pop("conv3d"), dtype=dtype, **fields)
