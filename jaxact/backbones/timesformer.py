"""TimeSformer with divided space-time attention (Bertasius et al. 2021).

Alphabet: b batch, t frames, n patches of a frame, d width, a heads, h w c an image.
"""

import dataclasses
from typing import ClassVar

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
from jaxact.layers.masking import LAYER_NORM_EPSILON, SelfAttention
from jaxact.layers.mlp import DropPath, Mlp


class PatchEmbed(nn.Module):
    """Linear projection of ``p x p`` patches: ``[b t h w c] -> [b t n d]``."""

    patch: int
    width: int
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, video: jax.Array) -> jax.Array:
        h, w = video.shape[2:4]
        if h % self.patch or w % self.patch:
            raise ValueError(
                f"Got frames of {h} x {w} and patches of {self.patch}; height and "
                "width must be multiples of the patch size."
            )
        patches = einops.rearrange(
            video, "b t (h p) (w q) c -> b t (h w) (p q c)", p=self.patch, q=self.patch
        )
        return nn.Dense(self.width, dtype=self.dtype, name="proj")(patches)


def join_token(token: jax.Array, patches: jax.Array) -> jax.Array:
    """Returns ``[b 1+t*n d]``: the class token ``[b d]`` before ``[b t n d]``."""
    flat = einops.rearrange(patches, "b t n d -> b (t n) d")
    return jnp.concatenate([token[:, None], flat], axis=1)


def split_token(x: jax.Array, t: int) -> tuple[jax.Array, jax.Array]:
    """Returns the class token ``[b d]`` and the patches of t frames ``[b t n d]``."""
    token, patches = jnp.split(x, [1], axis=1)
    return token[:, 0], einops.rearrange(patches, "b (t n) d -> b t n d", t=t)


class DividedBlock(nn.Module):
    """One block: temporal attention, spatial attention, MLP; pre-norm, residual.

    The class token takes no part in temporal attention; in spatial attention it is
    repeated for every frame, and the frames' results are averaged.
    """

    heads: int
    mlp_ratio: float = 4.0
    dropout: float = 0.0
    drop_path: float = 0.0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, x: jax.Array, t: int, train: bool
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Takes and returns the class token and t frames' patches, ``[b 1+t*n d]``;
        returns also the spatial attention's queries and keys ``[b t 1+n a d]``."""
        token, patches = split_token(x, t)
        b, _, _, d = patches.shape

        def norm(name: str) -> nn.LayerNorm:
            return nn.LayerNorm(epsilon=LAYER_NORM_EPSILON, dtype=self.dtype, name=name)

        # Temporal attention: every patch position attends over its own t frames.
        attention = SelfAttention(
            self.heads, self.dropout, self.dtype, True, name="temporal_attention"
        )
        x, _, _ = attention(norm("temporal_norm")(patches), train=train)
        # From 0 the network is at first the ViT that it starts from, frame by frame.
        init = nn.initializers.zeros_init()
        x = nn.Dense(d, dtype=self.dtype, kernel_init=init, name="temporal_fc")(x)
        patches = patches + DropPath(self.drop_path)(x, train=train)

        # Spatial attention: every frame attends over its own patches.
        tokens = jnp.broadcast_to(token[:, None, None], (b, t, 1, d))
        x = norm("spatial_norm")(jnp.concatenate([tokens, patches], axis=2))
        attention = SelfAttention(
            self.heads, self.dropout, self.dtype, name="spatial_attention"
        )
        x, query, key = attention(x, train=train)
        x = DropPath(self.drop_path)(x, train=train)
        of_token, of_patches = jnp.split(x, [1], axis=2)
        token = token + of_token.mean(axis=(1, 2), dtype=jnp.float32).astype(x.dtype)
        patches = patches + of_patches

        # The MLP, over the class token and all patches at once.
        x = join_token(token, patches)
        y = Mlp(self.mlp_ratio, self.dropout, self.dtype, name="mlp")(
            norm("mlp_norm")(x), train=train
        )
        return x + DropPath(self.drop_path)(y, train=train), query, key


class TimeSformer(Staged):
    """The backbone: a normalised clip to a class token and patch features.

    Attributes:
      remat: recompute each block's activations in the backward pass: less memory, a
        third more time.
    """

    patch: int = 16
    width: int = 768
    depth: int = 12
    heads: int = 12
    mlp_ratio: float = 4.0
    dropout: float = 0.0
    drop_path: float = 0.0  # of the last block; grows linearly from 0
    remat: bool = False
    position_std: float = 0.02  # of the position embedding at the start
    time_std: float = 0.0  # of the time embedding at the start
    dtype: DTypeLike = jnp.float32

    @property
    def stage_count(self) -> int:
        return self.depth

    def run(
        self,
        *videos: jax.Array,
        train: bool = False,
        alone: bool = False,
        places: jax.Array | None = None,
    ) -> Run:
        """Embeds ``[b t h w c]`` and runs the blocks, a stage each; see `Backbone`.

        Clips that have not three channels get a patch embedding of their own.

        Args:
          videos, train: see `Backbone`.
          alone: every frame is a clip of its own, at its own time, which sees nothing
            of the others: b * t clips of one frame, ``(b t)``.
          places: ``[b t u]``, the indicator of the frames that these are, of the u
            for which there are times; None: all of them.

        Returns:
          token ``[b d]`` and patches ``[b t n d]``, both after the last norm, and
          queries and keys: a tuple of one ``[b t 1+n a d]`` a block, of the spatial
          attention, for `rollout.class_rollout`.
        """

        def embed(channels: int) -> PatchEmbed:
            name = stem_name("patch_embed", channels, 3)
            return PatchEmbed(self.patch, self.width, self.dtype, name=name)

        patches = run_stems(videos, embed)
        b, t, n, d = patches.shape
        token = self.param("class_token", nn.initializers.zeros_init(), (1, d))
        position_init = nn.initializers.truncated_normal(self.position_std)
        time_init = nn.initializers.truncated_normal(self.time_std)
        position = self.param("position", position_init, (1 + n, d))
        times = t if places is None else places.shape[-1]
        time = self.param("time", time_init, (times, d))
        time = time[None] if places is None else places @ time
        place = position[None, None, 1:] + time[:, :, None]
        patches = patches + place.astype(self.dtype)
        if alone:
            b, t = b * t, 1
            patches = patches.reshape(b, t, n, d)
        token = jnp.broadcast_to(token + position[:1], (b, d)).astype(self.dtype)
        patches = nn.Dropout(self.dropout)(patches, deterministic=not train)

        x = join_token(token, patches)
        make_block = nn.remat(DividedBlock, static_argnums=(2, 3))
        if not self.remat:
            make_block = DividedBlock
        queries, keys = [], []
        for index in range(self.depth):
            block = make_block(
                self.heads,
                self.mlp_ratio,
                self.dropout,
                self.drop_path * index / max(self.depth - 1, 1),
                self.dtype,
                name=f"blocks_{index}",
            )
            x, query, key = block(x, t, train)
            x = yield x
            queries.append(query)
            keys.append(key)
        token, patches = split_token(x, t)
        norm = nn.LayerNorm(
            epsilon=LAYER_NORM_EPSILON, dtype=self.dtype, name="final_norm"
        )
        return {
            "token": norm(token),
            "patches": norm(patches),
            "queries": tuple(queries),
            "keys": tuple(keys),
        }


@dataclasses.dataclass
class TimeSformerConfig(BackboneConfig):
    """TimeSformer's fields; the defaults are TimeSformer-B's."""

    # The public recipe's, alike in all channels.
    mean: ClassVar[tuple[float, ...]] = (0.45,)
    std: ClassVar[tuple[float, ...]] = (0.225,)
    patch: int = 16
    width: int = 768
    depth: int = 12
    heads: int = 12
    mlp_ratio: float = 4.0
    dropout: float = 0.0
    drop_path: float = 0.0
    remat: bool = False
    position_std: float = 0.02
    time_std: float = 0.0

    def build(self, dtype: DTypeLike) -> TimeSformer:
        return TimeSformer(**dataclasses.asdict(self), dtype=dtype)
