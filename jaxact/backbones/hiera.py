"""Hiera: a hierarchy of plain transformer blocks (Ryali et al. 2023), for video.

Alphabet: b batch, t h w a grid of tokens, n tokens of a window, c channels, a heads.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, ClassVar

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
from jaxact.layers.attention import attend
from jaxact.layers.mlp import DropPath, Mlp, TransformerDense
from jaxact.layers.patches import PatchConvolution, place_and_time
from jaxact.layers.windows import from_windows, max_of_windows, to_windows

EPSILON = 1e-6
PATCH_WINDOW, PATCH_STRIDES = (3, 7, 7), (2, 4, 4)
Grid = tuple[int, int, int]  # of t, h and w

# The authors' T, S, B, B+, L and H; on video they published B to H.
VARIANTS: dict[str, dict[str, Any]] = {
    "tiny": dict(width=96, depths=(1, 2, 7, 2), heads=1),
    "small": dict(width=96, depths=(1, 2, 11, 2), heads=1),
    "base": dict(width=96, depths=(2, 3, 16, 3), heads=1),
    "base_plus": dict(width=112, depths=(2, 3, 16, 3), heads=2),
    "large": dict(width=144, depths=(2, 6, 36, 4), heads=2),
    "huge": dict(width=256, depths=(2, 6, 36, 4), heads=4),
}


class MaskUnitAttention(nn.Module):
    """Self-attention within windows, or among all tokens, with pooled queries.

    Attributes:
      width: of what it returns.
      window: tokens of t, h and w, before pooling; None: all of them.
      stride: of the max-pooling of queries.
    """

    width: int
    heads: int
    window: Grid | None
    stride: Grid = (1, 1, 1)
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Takes ``[b t h w c]``, returns ``[b t h w width]`` of the pooled grid."""
        grid = x.shape[1:4]
        qkv = TransformerDense(3 * self.width, dtype=self.dtype, name="qkv")(x)
        query, key, value = (
            einops.rearrange(part, "... (a d) -> ... a d", a=self.heads)
            for part in jnp.split(qkv, 3, axis=-1)
        )
        query = max_of_windows(query, self.stride)
        window = grid if self.window is None else self.window
        pooled = [n // s for n, s in zip(window, self.stride, strict=True)]
        y = attend(
            to_windows(query, pooled),
            to_windows(key, window),
            to_windows(value, window),
        )
        y = einops.rearrange(y, "b g n a d -> b g n (a d)")
        size = [n // s for n, s in zip(grid, self.stride, strict=True)]
        y = from_windows(y, size, pooled)
        return TransformerDense(self.width, dtype=self.dtype, name="out_proj")(y)


class HieraBlock(nn.Module):
    """Attention, then an MLP; pre-norm, residual; the first of a stage pools.

    Where the width changes the skip is ``max_of_windows(Linear(LN x))``.
    """

    width: int
    heads: int
    window: Grid | None
    stride: Grid = (1, 1, 1)
    mlp_ratio: float = 4.0
    drop_path: float = 0.0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        def norm(name: str) -> nn.LayerNorm:
            return nn.LayerNorm(epsilon=EPSILON, dtype=self.dtype, name=name)

        y = norm("attention_norm")(x)
        if x.shape[-1] != self.width:
            skip = TransformerDense(self.width, dtype=self.dtype, name="skip")(y)
            x = max_of_windows(skip, self.stride)
        y = MaskUnitAttention(
            self.width,
            self.heads,
            self.window,
            self.stride,
            self.dtype,
            name="attention",
        )(y)
        x = x + DropPath(self.drop_path)(y, train=train)
        mlp = Mlp(self.mlp_ratio, dtype=self.dtype, dense=TransformerDense, name="mlp")
        y = mlp(norm("mlp_norm")(x), train=train)
        return x + DropPath(self.drop_path)(y, train=train)


class Hiera(Staged):
    """The backbone on normalised video; the defaults are Hiera-B's.

    Blocks of the first ``local_stages`` stages, and the first block of the next one,
    attend within mask units; a mask unit is pooled as the grid is.

    Attributes:
      width, heads: of the first stage; every stage doubles both.
      depths: blocks of each stage.
      stride: of the pooling of t, h and w before each further stage.
      mask_unit: tokens of t, h and w in the first stage's windows.
      drop_path: of the last block; grows linearly from 0.
      form: of the first convolution, see `jaxact.layers.conv3d`.
      remat: recompute the blocks' activations in the backward pass.
    """

    width: int = 96
    depths: tuple[int, ...] = (2, 3, 16, 3)
    heads: int = 1
    stride: Grid = (1, 2, 2)
    mask_unit: Grid = (1, 8, 8)
    local_stages: int = 2
    mlp_ratio: float = 4.0
    drop_path: float = 0.0
    form: str = "auto"
    remat: bool = False
    dtype: DTypeLike = jnp.float32

    @property
    def stage_count(self) -> int:
        return len(self.depths)

    def run(self, *videos: jax.Array, train: bool = False) -> Run:
        """Embeds ``[b t h w c]`` and runs the stages; see `Backbone`.

        Returns:
          ``features`` ``[b t h w c]``, the last block's map; ``token`` ``[b c]``, its
          mean after the last norm; ``stages``, every stage's last map.

        Raises:
          ValueError: the clip's tokens are not a whole number of mask units.
        """

        def stem(channels: int) -> PatchConvolution:
            name = stem_name("patch_embed", channels, videos[0].shape[-1])
            return PatchConvolution(
                self.width,
                PATCH_WINDOW,
                PATCH_STRIDES,
                self.form,
                self.dtype,
                name=name,
            )

        x = run_stems(videos, stem)
        self._check(videos[0].shape[1:4], x.shape[1:4])
        x = x + place_and_time(self, x).astype(x.dtype)
        make_block = nn.remat(HieraBlock, static_argnums=(2,))
        if not self.remat:
            make_block = HieraBlock
        total, number, stages = sum(self.depths), 0, []
        window = self.mask_unit
        for stage, depth in enumerate(self.depths):
            for block in range(depth):
                first = stage > 0 and block == 0
                # A stage's first block attends as the stage before, on its grid.
                local = (stage - 1 if first else stage) < self.local_stages
                x = make_block(
                    self.width * 2**stage,
                    self.heads * 2**stage,
                    window if local else None,
                    self.stride if first else (1, 1, 1),
                    self.mlp_ratio,
                    self.drop_path * number / max(total - 1, 1),
                    self.dtype,
                    name=f"stage{stage + 1}_{block}",
                )(x, train)
                if first:
                    t, h, w = self.stride
                    window = (window[0] // t, window[1] // h, window[2] // w)
                number += 1
            x = yield x
            stages.append(x)
        norm = nn.LayerNorm(epsilon=EPSILON, dtype=self.dtype, name="final_norm")
        token = norm(x.mean(axis=(1, 2, 3), dtype=jnp.float32))
        return {"token": token, "features": x, "stages": tuple(stages)}

    def _check(self, size: Sequence[int], grid: Sequence[int]) -> None:
        """Refuses a grid that windows or poolings would cut off."""
        pooled = [s ** (len(self.depths) - 1) for s in self.stride]
        wanted = [math.lcm(m, p) for m, p in zip(self.mask_unit, pooled, strict=True)]
        if any(n % k for n, k in zip(grid, wanted, strict=True)):
            pixels = [k * s for k, s in zip(wanted, PATCH_STRIDES, strict=True)]
            raise ValueError(
                f"Got clips of {tuple(size)} (frames, height, width); Hiera with mask "
                f"units of {self.mask_unit} tokens wants multiples of {pixels}."
            )


@dataclasses.dataclass
class HieraConfig(BackboneConfig):
    """Hiera-B; `VARIANTS` has the others' fields.

    The published weights are of 16 frames; with others their positions in time are
    interpolated.
    """

    mean: ClassVar[tuple[float, ...]] = IMAGENET_MEAN
    std: ClassVar[tuple[float, ...]] = IMAGENET_STD
    width: int = 96
    depths: tuple[int, ...] = (2, 3, 16, 3)
    heads: int = 1
    stride: tuple[int, ...] = (1, 2, 2)
    mask_unit: tuple[int, ...] = (1, 8, 8)  # in tokens of t, h and w
    local_stages: int = 2
    mlp_ratio: float = 4.0
    drop_path: float = 0.0
    remat: bool = False

    def build(self, dtype: DTypeLike) -> Hiera:
        for name, size in (("stride", self.stride), ("mask_unit", self.mask_unit)):
            if len(size) != 3 or min(size) < 1:
                raise ValueError(
                    f"Got {name} {size}; expected three sizes, of t, h and w."
                )
        if self.width % self.heads:
            raise ValueError(
                f"Got width {self.width} and {self.heads} heads; the width must be a "
                "multiple of the number of heads."
            )
        times = min(self.local_stages, len(self.depths) - 1)
        if any(m % s**times for m, s in zip(self.mask_unit, self.stride, strict=True)):
            raise ValueError(
                f"Got mask_unit {self.mask_unit} and stride {self.stride}; a mask unit "
                f"is pooled {times} times and must be a multiple of stride^{times}."
            )
        return Hiera(**dataclasses.asdict(self), dtype=dtype)
