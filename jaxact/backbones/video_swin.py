"""Video Swin Transformer: attention in shifted windows of space-time (Liu et al. 2022).

Alphabet: b batch, t h w a grid of tokens, c channels, g windows, n tokens of a window,
a heads.
"""

import dataclasses
import functools
import itertools
import math
from typing import Any, ClassVar

import einops
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from jaxact.backbones.protocol import (
    BackboneConfig,
    Run,
    Staged,
    run_stems,
    stem_name,
)
from jaxact.batch import IMAGENET_MEAN, IMAGENET_STD
from jaxact.layers.attention import QKV, attend
from jaxact.layers.mlp import DropPath, Mlp, TransformerDense
from jaxact.layers.patches import patches
from jaxact.layers.windows import from_windows, to_windows

EPSILON = 1e-5
Grid = tuple[int, int, int]  # of t, h and w

# Width, units of each stage, heads of each stage, drop path; the papers' T, S, B, L.
VARIANTS: dict[str, dict[str, Any]] = {
    "tiny": dict(width=96, depths=(2, 2, 6, 2), heads=(3, 6, 12, 24), drop_path=0.1),
    "small": dict(width=96, depths=(2, 2, 18, 2), heads=(3, 6, 12, 24), drop_path=0.2),
    "base": dict(width=128, depths=(2, 2, 18, 2), heads=(4, 8, 16, 32), drop_path=0.3),
    "large": dict(
        width=192, depths=(2, 2, 18, 2), heads=(6, 12, 24, 48), drop_path=0.4
    ),
}


def fitting(window: Grid, shift: Grid, grid: tuple[int, ...]) -> tuple[Grid, Grid]:
    """Shrinks a window to a grid that is smaller; such an axis is not shifted."""
    sizes = [min(w, n) for w, n in zip(window, grid, strict=True)]
    shifts = [0 if n <= w else s for w, s, n in zip(window, shift, grid, strict=True)]
    return (sizes[0], sizes[1], sizes[2]), (shifts[0], shifts[1], shifts[2])


@functools.cache
def relative_index(window: Grid, whole: Grid) -> np.ndarray:
    """Returns for each pair of a window's tokens its row in the table of biases.

    Args:
      window: as it is, perhaps shrunk; the distances are those of its own tokens.
      whole: the window for which the table was made, of
        ``(2 t - 1) (2 h - 1) (2 w - 1)`` rows.

    Returns:
      int ``[n n]``.
    """
    places = np.stack(np.meshgrid(*map(np.arange, window), indexing="ij"), axis=-1)
    places = places.reshape(-1, 3)
    apart = places[:, None] - places[None] + np.asarray(whole) - 1
    return np.ravel_multi_index(
        tuple(np.moveaxis(apart, -1, 0)), [2 * size - 1 for size in whole]
    )


@functools.cache
def same_region(grid: tuple[int, ...], window: Grid, shift: Grid) -> np.ndarray | None:
    """Says which tokens of a shifted window were neighbours before the shift.

    A shift rolls the grid around its ends: the last windows then hold tokens of both
    ends, which must not see each other.

    Returns:
      bool ``[g n n]``, or None if nothing is shifted.
    """
    if not any(shift):
        return None
    regions = np.zeros(grid, int)
    cuts = [
        [slice(0, -w), slice(-w, -s), slice(-s, None)] if s else [slice(None)]
        for w, s in zip(window, shift, strict=True)
    ]
    for number, part in enumerate(itertools.product(*cuts)):
        regions[part] = number
    t, h, w = window
    in_windows = einops.rearrange(
        regions, "(T t) (H h) (W w) -> (T H W) (t h w)", t=t, h=h, w=w
    )
    return in_windows[:, :, None] == in_windows[:, None, :]


class WindowAttention(nn.Module):
    """Self-attention within windows ``[b g n c]``, with a bias for each distance."""

    heads: int
    window: Grid  # that the table of biases is made for
    bias_std: float = 0.02
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, x: jax.Array, actual: Grid, pairs: np.ndarray | None
    ) -> jax.Array:
        """Attends; ``actual`` is the window, perhaps shrunk; pairs ``[g n n]``."""
        rows = int(np.prod([2 * size - 1 for size in self.window]))
        table = self.param(
            "relative_position_bias",
            nn.initializers.truncated_normal(self.bias_std),
            (rows, self.heads),
        )
        bias = table[relative_index(actual, self.window)]
        bias = einops.rearrange(bias, "q k a -> 1 1 a q k")
        query, key, value = QKV(
            self.heads, self.dtype, TransformerDense, name="in_proj"
        )(x)
        mask = None if pairs is None else jnp.asarray(pairs)[None]
        out = attend(query, key, value, mask, bias)
        out = einops.rearrange(out, "... a d -> ... (a d)")
        return TransformerDense(x.shape[-1], dtype=self.dtype, name="out_proj")(out)


class SwinBlock(nn.Module):
    """Attention in (shifted) windows, then an MLP; pre-norm, residual."""

    heads: int
    window: Grid
    shift: Grid
    mlp_ratio: float = 4.0
    dropout: float = 0.0
    drop_path: float = 0.0
    bias_std: float = 0.02
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Takes and returns ``[b t h w c]``."""

        def norm(name: str) -> nn.LayerNorm:
            return nn.LayerNorm(epsilon=EPSILON, dtype=self.dtype, name=name)

        size = x.shape[1:4]
        window, shift = fitting(self.window, self.shift, size)
        fill = [(-n) % w for n, w in zip(size, window, strict=True)]
        y = norm("attention_norm")(x)
        y = jnp.pad(y, ((0, 0), *((0, more) for more in fill), (0, 0)))
        grid = y.shape[1:4]
        y = jnp.roll(y, [-s for s in shift], axis=(1, 2, 3))
        y = to_windows(y, window)
        attention = WindowAttention(
            self.heads, self.window, self.bias_std, self.dtype, name="attention"
        )
        y = attention(y, window, same_region(grid, window, shift))
        y = from_windows(y, grid, window)
        y = jnp.roll(y, shift, axis=(1, 2, 3))
        y = y[:, : size[0], : size[1], : size[2]]
        x = x + DropPath(self.drop_path)(y, train=train)
        mlp = Mlp(
            self.mlp_ratio, self.dropout, self.dtype, dense=TransformerDense, name="mlp"
        )
        y = mlp(norm("mlp_norm")(x), train=train)
        return x + DropPath(self.drop_path)(y, train=train)


class PatchMerging(nn.Module):
    """Joins 2 x 2 neighbours of a frame: ``[b t h w c]`` to half of h and w, 2 c."""

    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        h, w, c = x.shape[2:]
        x = jnp.pad(x, ((0, 0), (0, 0), (0, h % 2), (0, w % 2), (0, 0)))
        # The published order: rows change faster than columns. Two steps, for LiteRT
        # exchanges no seven axes.
        x = einops.rearrange(x, "b t (h p) w c -> b t h w p c", p=2)
        x = einops.rearrange(x, "b t h (w q) p c -> b t h w (q p c)", q=2)
        x = nn.LayerNorm(epsilon=EPSILON, dtype=self.dtype, name="norm")(x)
        return TransformerDense(
            2 * c, use_bias=False, dtype=self.dtype, name="reduction"
        )(x)


class VideoSwin(Staged):
    """The backbone on normalised video; the defaults are Swin-T.

    Attributes:
      width: of the first stage; every stage doubles it.
      depths, heads: of each stage.
      window: of attention, in tokens of t, h and w; odd blocks shift it by half.
      patch: pixels of a token along t, h and w.
      drop_path: of the last block; grows linearly from 0.
      bias_std: of the biases of distances at the start. With the published 0.02 all
        tokens of a window are alike at first; short trainings hardly learn places.
      remat: recompute the blocks' activations in the backward pass.
    """

    width: int = 96
    depths: tuple[int, ...] = (2, 2, 6, 2)
    heads: tuple[int, ...] = (3, 6, 12, 24)
    window: Grid = (8, 7, 7)
    patch: Grid = (2, 4, 4)
    mlp_ratio: float = 4.0
    dropout: float = 0.0
    drop_path: float = 0.1
    bias_std: float = 0.02
    remat: bool = False
    dtype: DTypeLike = jnp.float32

    @property
    def stage_count(self) -> int:
        return len(self.depths)

    def run(self, *videos: jax.Array, train: bool = False) -> Run:
        """Embeds ``[b t h w c]`` and runs the stages; see `Backbone`.

        Returns:
          ``features`` ``[b t h w c]`` after the last norm, t half and h, w a 32nd of
          the clip's with the published patch; ``token`` ``[b c]``, their mean in
          float32; ``stages``, every stage's last map.
        """

        def stem(size: int) -> nn.Dense:
            channels = size // math.prod(self.patch)
            name = stem_name("patch_embed", channels, videos[0].shape[-1])
            return nn.Dense(self.width, dtype=self.dtype, name=name)

        x = run_stems([patches(video, self.patch) for video in videos], stem)
        x = nn.LayerNorm(epsilon=EPSILON, dtype=self.dtype, name="patch_norm")(x)
        x = nn.Dropout(self.dropout)(x, deterministic=not train)

        make_block = nn.remat(SwinBlock, static_argnums=(2,))
        if not self.remat:
            make_block = SwinBlock
        half = (self.window[0] // 2, self.window[1] // 2, self.window[2] // 2)
        total, number, stages = sum(self.depths), 0, []
        for stage, (depth, heads) in enumerate(
            zip(self.depths, self.heads, strict=True)
        ):
            if stage:
                x = PatchMerging(self.dtype, name=f"merging_{stage}")(x)
            for block in range(depth):
                x = make_block(
                    heads,
                    self.window,
                    half if block % 2 else (0, 0, 0),
                    self.mlp_ratio,
                    self.dropout,
                    self.drop_path * number / max(total - 1, 1),
                    self.bias_std,
                    self.dtype,
                    name=f"stage{stage + 1}_{block}",
                )(x, train)
                number += 1
            x = yield x
            stages.append(x)
        norm = nn.LayerNorm(epsilon=EPSILON, dtype=self.dtype, name="final_norm")
        x = norm(x)
        token = x.mean(axis=(1, 2, 3), dtype=jnp.float32)
        return {"token": token, "features": x, "stages": tuple(stages)}


@dataclasses.dataclass
class VideoSwinConfig(BackboneConfig):
    """Video Swin-T; `VARIANTS` has the others' fields."""

    mean: ClassVar[tuple[float, ...]] = IMAGENET_MEAN
    std: ClassVar[tuple[float, ...]] = IMAGENET_STD
    width: int = 96
    depths: tuple[int, ...] = (2, 2, 6, 2)
    heads: tuple[int, ...] = (3, 6, 12, 24)
    window: tuple[int, ...] = (8, 7, 7)  # in tokens of t, h and w
    patch: tuple[int, ...] = (2, 4, 4)  # pixels of a token
    mlp_ratio: float = 4.0
    dropout: float = 0.0
    drop_path: float = 0.1
    bias_std: float = 0.02  # of the biases of distances at the start
    remat: bool = False

    def build(self, dtype: DTypeLike) -> VideoSwin:
        if len(self.depths) != len(self.heads):
            raise ValueError(
                f"Got depths {self.depths} and heads {self.heads}; expected one number "
                "of each for every stage."
            )
        for name, size in (("window", self.window), ("patch", self.patch)):
            if len(size) != 3 or min(size) < 1:
                raise ValueError(
                    f"Got {name} {size}; expected three sizes, of t, h and w."
                )
        return VideoSwin(**dataclasses.asdict(self), dtype=dtype)
