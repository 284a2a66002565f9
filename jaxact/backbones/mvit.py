"""Multiscale Vision Transformers: MViT (Fan et al. 2021) and MViTv2 (Li et al. 2022).

Alphabet: b batch, t h w a grid of tokens, n tokens with the class token first, c
channels, a heads, d width of a head, q and k positions of queries and keys.
"""

import dataclasses
import functools
import math
from typing import Any, ClassVar, Literal

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
from jaxact.layers.attention import attend
from jaxact.layers.conv3d import depthwise_conv3d, max_pool3d
from jaxact.layers.mlp import DropPath, Mlp, TransformerDense
from jaxact.layers.patches import PatchConvolution, place_and_time

EPSILON = 1e-6
PATCH_WINDOW, PATCH_STRIDES = (3, 7, 7), (2, 4, 4)
POOL_WINDOW = (3, 3, 3)
Grid = tuple[int, int, int]  # of t, h and w

# Published sizes; B of v2 sees 32 frames, L 40 of 312 x 312, the others 16 of 224 x
# 224. Drop path is that of the recipes on Kinetics-400.
VARIANTS: dict[str, dict[str, Any]] = {
    "v1_base": dict(version="v1", depth=16, downscale=(1, 3, 14), drop_path=0.2),
    "v2_tiny": dict(depth=10, downscale=(1, 3, 8), drop_path=0.1),
    "v2_small": dict(depth=16, downscale=(1, 3, 14), drop_path=0.2),
    "v2_base": dict(depth=24, downscale=(2, 5, 21), drop_path=0.3),
    "v2_large": dict(
        width=144, depth=48, heads=2, downscale=(2, 8, 44), drop_path=0.75
    ),
}


@functools.cache
def relative_index(queries: int, keys: int) -> np.ndarray:
    """Returns for each pair of places of one axis its row in the table of positions.

    Both axes are stretched to the longer one; distances are then whole numbers, or cut
    down to them, and the smallest, ``1 - longest``, has row 0.

    Returns:
      int ``[q k]``, from 0 to ``2 max(q, k) - 2``.
    """
    longest = max(queries, keys)
    q = np.arange(queries)[:, None] * longest * keys
    k = (keys - 1 - np.arange(keys))[None, :] * longest * queries
    return (q + k) // (queries * keys)


def pooled_grid(grid: Grid, strides: Grid | None) -> Grid:
    """Returns t, h and w after a pooling whose odd windows are padded by their half."""
    t, h, w = (-(-n // s) for n, s in zip(grid, strides or (1, 1, 1), strict=True))
    return t, h, w


class AttentionPool(nn.Module):
    """Pools queries, keys or values ``[b n a d]``: a convolution, then a norm.

    Each channel is convolved by itself, with the same kernel in all heads. The class
    token is not convolved, but normalised as all are (v1's section 3.1).
    """

    strides: Grid
    form: str = "auto"
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, grid: Grid) -> tuple[jax.Array, Grid]:
        """Returns the pooled array and its grid."""
        heads, d = x.shape[-2:]
        init = nn.initializers.truncated_normal(0.02)
        kernel = self.param("kernel", init, (*POOL_WINDOW, d)).astype(self.dtype)
        token, places = jnp.split(x, [1], axis=1)
        t, h, w = grid
        places = einops.rearrange(
            places, "b (t h w) a d -> (b a) t h w d", t=t, h=h, w=w
        )
        padding = tuple((k // 2, k // 2) for k in POOL_WINDOW)
        places = depthwise_conv3d(places, kernel, self.strides, padding, self.form)
        t, h, w = places.shape[1:4]
        places = einops.rearrange(places, "(b a) t h w d -> b (t h w) a d", a=heads)
        x = jnp.concatenate([token, places], axis=1)
        norm = nn.LayerNorm(epsilon=EPSILON, dtype=self.dtype, name="norm")
        return norm(x), (t, h, w)


class PoolingAttention(nn.Module):
    """Self-attention ``[b n c] -> [b q width]`` with pooled queries, keys and values.

    Attributes:
      query_strides: of the pooling of queries; None: they are not pooled.
      second: MViTv2: relative positions and residual pooling.
    """

    width: int
    heads: int
    query_strides: Grid | None
    key_strides: Grid
    second: bool = True
    form: str = "auto"
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, grid: Grid) -> tuple[jax.Array, Grid]:
        """Returns the attended values and the queries' grid."""

        def pool(name: str, strides: Grid) -> AttentionPool:
            return AttentionPool(strides, self.form, self.dtype, name=f"pool_{name}")

        qkv = TransformerDense(3 * self.width, dtype=self.dtype, name="qkv")(x)
        query, key, value = (
            einops.rearrange(part, "b n (a d) -> b n a d", a=self.heads)
            for part in jnp.split(qkv, 3, axis=-1)
        )
        of_queries = grid
        if self.query_strides is not None:
            query, of_queries = pool("query", self.query_strides)(query, grid)
        key, of_keys = pool("key", self.key_strides)(key, grid)
        value, _ = pool("value", self.key_strides)(value, grid)
        bias = self._positions(query, of_queries, of_keys) if self.second else None
        y = attend(query, key, value, bias=bias)
        if self.second:  # but to the class token (v2's section 4.1)
            y = jnp.concatenate([y[:, :1], y[:, 1:] + query[:, 1:]], axis=1)
        y = einops.rearrange(y, "b n a d -> b n (a d)")
        out = TransformerDense(self.width, dtype=self.dtype, name="out_proj")
        return out(y), of_queries

    def _positions(self, query: jax.Array, of_queries: Grid, of_keys: Grid) -> Any:
        """Returns what is added to the logits, ``[b a q k]`` (v2's section 4.1).

        ``Q_i . (R_t + R_h + R_w)`` by the distances along the axes; 0 of the class
        token.
        """
        init = nn.initializers.truncated_normal(0.02)
        t, h, w = of_queries
        places = einops.rearrange(
            query[:, 1:], "b (t h w) a d -> b a t h w d", t=t, h=h, w=w
        )
        parts = []
        for axis, q, k in zip("thw", of_queries, of_keys, strict=True):
            rows = (2 * max(q, k) - 1, query.shape[-1])
            table = self.param(f"relative_{axis}", init, rows).astype(self.dtype)
            products = jnp.einsum(
                f"bathwd,{axis}kd->bathwk",
                places,
                table[relative_index(q, k)],
                preferred_element_type=jnp.float32,
            )
            # Four axes, not eight, are what LiteRT can add.
            parts.append(products.reshape(math.prod(products.shape[:-1]), k))
        bias = (
            parts[0][:, :, None, None]
            + parts[1][:, None, :, None]
            + parts[2][:, None, None, :]
        )
        queries, keys = math.prod(of_queries), math.prod(of_keys)
        bias = bias.reshape(query.shape[0], self.heads, queries, keys)
        return jnp.pad(bias, ((0, 0), (0, 0), (1, 0), (1, 0)))


class MViTBlock(nn.Module):
    """Attention, then an MLP; pre-norm, residual.

    Attributes:
      width: of what it returns. v2 widens in the attention, v1 in the MLP.
    """

    width: int
    heads: int
    query_strides: Grid | None
    key_strides: Grid
    second: bool = True
    mlp_ratio: float = 4.0
    drop_path: float = 0.0
    form: str = "auto"
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, grid: Grid, train: bool) -> jax.Array:
        """Takes tokens ``[b n c]`` of ``grid``, returns those of `pooled_grid`."""

        def norm(name: str) -> nn.LayerNorm:
            return nn.LayerNorm(epsilon=EPSILON, dtype=self.dtype, name=name)

        def skip(y: jax.Array) -> jax.Array:
            return TransformerDense(self.width, dtype=self.dtype, name="skip")(y)

        widens = x.shape[-1] != self.width
        y = norm("attention_norm")(x)
        attended, _ = PoolingAttention(
            self.width if self.second else x.shape[-1],
            self.heads,
            self.query_strides,
            self.key_strides,
            self.second,
            self.form,
            self.dtype,
            name="attention",
        )(y, grid)
        x = skip(y) if widens and self.second else x
        x = self._pooled(x, grid) + DropPath(self.drop_path)(attended, train=train)
        y = norm("mlp_norm")(x)
        x = skip(y) if widens and not self.second else x
        mlp = Mlp(
            self.mlp_ratio,
            dtype=self.dtype,
            features=self.width,
            dense=TransformerDense,
            name="mlp",
        )
        return x + DropPath(self.drop_path)(mlp(y, train=train), train=train)

    def _pooled(self, x: jax.Array, grid: Grid) -> jax.Array:
        """Pools the skip as the queries, by maxima of windows of stride + 1."""
        strides = self.query_strides or (1, 1, 1)
        if strides == (1, 1, 1):
            return x
        token, places = jnp.split(x, [1], axis=1)
        t, h, w = grid
        places = einops.rearrange(places, "b (t h w) c -> b t h w c", t=t, h=h, w=w)
        window = [s + 1 if s > 1 else s for s in strides]
        padding = [(k // 2, k // 2) for k in window]
        places = max_pool3d(places, window, strides, padding, self.form)
        places = einops.rearrange(places, "b t h w c -> b (t h w) c")
        return jnp.concatenate([token, places], axis=1)


class MViT(Staged):
    """The backbone on normalised video; the defaults are MViTv2-S.

    Attributes:
      version: "v2", or "v1": absolute positions in place of relative ones, no residual
        pooling, queries pooled where the grid shrinks alone, and the width doubled in
        the MLP of the block before.
      width, heads: of the first stage; every stage doubles both.
      downscale: blocks at which a stage begins: h and w are halved.
      key_strides: of the first stage's keys and values, halved with h and w.
      drop_path: of the last block; grows linearly from 0.
      form: of 3-D convolutions and pooling, see `jaxact.layers.conv3d`.
      remat: recompute the blocks' activations in the backward pass.
    """

    version: str = "v2"
    width: int = 96
    depth: int = 16
    heads: int = 1
    downscale: tuple[int, ...] = (1, 3, 14)
    key_strides: Grid = (1, 8, 8)
    mlp_ratio: float = 4.0
    drop_path: float = 0.2
    form: str = "auto"
    remat: bool = False
    dtype: DTypeLike = jnp.float32

    @property
    def stage_count(self) -> int:
        return len(self.downscale) + 1

    def run(self, *videos: jax.Array, train: bool = False) -> Run:
        """Embeds ``[b t h w c]`` and runs the blocks; see `Backbone`.

        Returns:
          ``token`` ``[b c]``, the class token, and ``features`` ``[b t h w c]``, both
          after the last norm; ``stages``, the map at each stage's end.
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
        t, h, w = x.shape[1:4]
        grid: Grid = (t, h, w)
        x = self._tokens(x)
        make_block = nn.remat(MViTBlock, static_argnums=(2, 3))
        if not self.remat:
            make_block = MViTBlock
        stages, stage, key_strides = [], 0, self.key_strides
        for index in range(self.depth):
            strides: Grid | None = (1, 1, 1) if self.version == "v2" else None
            if index in self.downscale:
                stage, strides = stage + 1, (1, 2, 2)
                first, *others = (max(s // 2, 1) for s in key_strides)
                key_strides = (first, others[0], others[1])
            wide = stage + (self.version == "v1" and index + 1 in self.downscale)
            x = make_block(
                self.width * 2**wide,
                self.heads * 2**stage,
                strides,
                key_strides,
                self.version == "v2",
                self.mlp_ratio,
                self.drop_path * index / max(self.depth - 1, 1),
                self.form,
                self.dtype,
                name=f"blocks_{index}",
            )(x, grid, train)
            grid = pooled_grid(grid, strides)
            if index + 1 in (*self.downscale, self.depth):
                x = yield x
                stages.append(_map(x, grid))
        x = nn.LayerNorm(epsilon=EPSILON, dtype=self.dtype, name="final_norm")(x)
        features = _map(x, grid)
        return {"token": x[:, 0], "features": features, "stages": tuple(stages)}

    def _tokens(self, x: jax.Array) -> jax.Array:
        """Flattens ``[b t h w c]`` behind the class token, with v1's positions."""
        b, c = x.shape[0], x.shape[-1]
        init = nn.initializers.truncated_normal(0.02)
        token = self.param("class_token", init, (1, c))
        if self.version == "v1":
            x = x + place_and_time(self, x).astype(x.dtype)
            token = token + self.param("class_position", init, (1, c))
        token = jnp.broadcast_to(token[None], (b, 1, c)).astype(x.dtype)
        x = einops.rearrange(x, "b t h w c -> b (t h w) c")
        return jnp.concatenate([token, x], axis=1)


def _map(x: jax.Array, grid: Grid) -> jax.Array:
    t, h, w = grid
    return einops.rearrange(x[:, 1:], "b (t h w) c -> b t h w c", t=t, h=h, w=w)


@dataclasses.dataclass
class MViTConfig(BackboneConfig):
    """MViTv2-S; `VARIANTS` has the others' fields."""

    mean: ClassVar[tuple[float, ...]] = (0.45,)
    std: ClassVar[tuple[float, ...]] = (0.225,)
    version: Literal["v1", "v2"] = "v2"
    width: int = 96
    depth: int = 16
    heads: int = 1
    downscale: tuple[int, ...] = (1, 3, 14)  # blocks that halve h and w
    key_strides: tuple[int, ...] = (1, 8, 8)  # of t, h and w, in the first stage
    mlp_ratio: float = 4.0
    drop_path: float = 0.2
    conv3d: Literal["auto", "native", "taps"] = "auto"
    remat: bool = False

    def build(self, dtype: DTypeLike) -> MViT:
        if len(self.key_strides) != 3 or min(self.key_strides) < 1:
            raise ValueError(
                f"Got key_strides {self.key_strides}; expected three, of t, h and w."
            )
        blocks = sorted(set(self.downscale))
        if list(self.downscale) != blocks or not all(
            0 < block < self.depth for block in blocks
        ):
            raise ValueError(
                f"Got downscale {self.downscale} of {self.depth} blocks; expected "
                f"rising numbers from 1 to {self.depth - 1}."
            )
        if self.width % self.heads:
            raise ValueError(
                f"Got width {self.width} and {self.heads} heads; the width must be a "
                "multiple of the number of heads."
            )
        fields = dataclasses.asdict(self)
        return MViT(form=fields.pop("conv3d"), dtype=dtype, **fields)
