"""VideoMAE's network: a plain vision transformer over tubes (Tong et al. 2022).

Joint space-time attention over all tokens, no class token (section 3.3 of the paper).
Alphabet: b batch, t h w a grid of tokens, n tokens, c channels, a heads.
"""

import dataclasses
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
from jaxact.layers.attention import attend
from jaxact.layers.mlp import DropPath, Mlp, TransformerDense
from jaxact.layers.patches import patches

EPSILON = 1e-6

# The paper's ViT-S, B, L and H on 16 frames of 224 x 224; B's and H's drop path are
# those of the published fine-tuning on Kinetics-400.
VARIANTS: dict[str, dict[str, Any]] = {
    "small": dict(width=384, depth=12, heads=6, drop_path=0.1),
    "base": dict(width=768, depth=12, heads=12, drop_path=0.1),
    "large": dict(width=1024, depth=24, heads=16, drop_path=0.2),
    "huge": dict(width=1280, depth=32, heads=16, drop_path=0.2),
}


def sinusoids(tokens: int, width: int) -> np.ndarray:
    """Returns fixed positions ``[n c]`` (Vaswani et al. 2017, section 3.5), float32.

    ``sin(n / 10000^(2i/c))`` and the cosine of the same in channels 2i and 2i + 1; n
    counts the tokens of all frames, row by row.
    """
    channel = np.arange(width)
    angles = np.arange(tokens)[:, None] / 10000.0 ** ((channel - channel % 2) / width)
    return np.where(channel % 2, np.cos(angles), np.sin(angles)).astype(np.float32)


class QVAttention(nn.Module):
    """Self-attention ``[b n c]``; queries and values have a bias, keys have none.

    A bias of the keys would add the same to all logits of a query, which the softmax
    does not see.
    """

    heads: int
    dropout: float = 0.0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        width = x.shape[-1]
        if width % self.heads:
            raise ValueError(
                f"Got width {width} and {self.heads} heads; the width must be a "
                "multiple of the number of heads."
            )
        zeros = nn.initializers.zeros_init()
        of_query = self.param("query_bias", zeros, (width,))
        of_value = self.param("value_bias", zeros, (width,))
        x = TransformerDense(3 * width, use_bias=False, dtype=self.dtype, name="qkv")(x)
        query, key, value = jnp.split(x, 3, axis=-1)
        query = query + of_query.astype(self.dtype)[None, None]
        value = value + of_value.astype(self.dtype)[None, None]
        query, key, value = (
            einops.rearrange(part, "b n (a d) -> b n a d", a=self.heads)
            for part in (query, key, value)
        )
        x = einops.rearrange(attend(query, key, value), "b n a d -> b n (a d)")
        x = TransformerDense(width, dtype=self.dtype, name="out_proj")(x)
        return nn.Dropout(self.dropout)(x, deterministic=not train)


class ViTBlock(nn.Module):
    """Attention among all tokens, then an MLP; pre-norm, residual."""

    heads: int
    mlp_ratio: float = 4.0
    dropout: float = 0.0
    drop_path: float = 0.0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Takes and returns ``[b n c]``."""

        def norm(name: str) -> nn.LayerNorm:
            return nn.LayerNorm(epsilon=EPSILON, dtype=self.dtype, name=name)

        attention = QVAttention(self.heads, self.dropout, self.dtype, name="attention")
        y = attention(norm("attention_norm")(x), train)
        x = x + DropPath(self.drop_path)(y, train=train)
        mlp = Mlp(
            self.mlp_ratio, self.dropout, self.dtype, dense=TransformerDense, name="mlp"
        )
        y = mlp(norm("mlp_norm")(x), train=train)
        return x + DropPath(self.drop_path)(y, train=train)


class VideoMAE(Staged):
    """The backbone on normalised video; the defaults are ViT-B's.

    Attributes:
      patch: pixels of a token along t, h and w.
      drop_path: of the last block; grows linearly from 0.
      remat: recompute the blocks' activations in the backward pass.
    """

    width: int = 768
    depth: int = 12
    heads: int = 12
    patch: tuple[int, int, int] = (2, 16, 16)
    mlp_ratio: float = 4.0
    dropout: float = 0.0
    drop_path: float = 0.1
    remat: bool = False
    dtype: DTypeLike = jnp.float32

    @property
    def stage_count(self) -> int:
        return self.depth

    def run(self, *videos: jax.Array, train: bool = False) -> Run:
        """Embeds ``[b t h w c]`` and runs the blocks, a stage each; see `Backbone`.

        Returns:
          ``features`` ``[b t h w c]``, the last block's map; ``token`` ``[b c]``, its
          mean after the last norm.

        Raises:
          ValueError: a clip is not a whole number of patches.
        """
        size = videos[0].shape[1:4]
        if any(n % p for n, p in zip(size, self.patch, strict=True)):
            raise ValueError(
                f"Got clips of {size} (frames, height, width) and patches of "
                f"{self.patch}; each of the sizes must be a multiple of the patch's."
            )

        def stem(channels: int) -> Any:
            name = stem_name("patch_embed", channels, videos[0].shape[-1])
            dense = nn.Dense(self.width, dtype=self.dtype, name=name)
            return lambda video: dense(patches(video, self.patch))

        x = run_stems(videos, stem)
        grid = x.shape[1:4]
        x = einops.rearrange(x, "b t h w c -> b (t h w) c")
        x = x + jnp.asarray(sinusoids(x.shape[1], self.width), x.dtype)[None]
        x = nn.Dropout(self.dropout)(x, deterministic=not train)
        make_block = nn.remat(ViTBlock, static_argnums=(2,))
        if not self.remat:
            make_block = ViTBlock
        for index in range(self.depth):
            x = make_block(
                self.heads,
                self.mlp_ratio,
                self.dropout,
                self.drop_path * index / max(self.depth - 1, 1),
                self.dtype,
                name=f"blocks_{index}",
            )(x, train)
            x = yield x
        norm = nn.LayerNorm(epsilon=EPSILON, dtype=self.dtype, name="final_norm")
        token = norm(x.mean(axis=1, dtype=jnp.float32))
        t, h, w = grid
        features = einops.rearrange(x, "b (t h w) c -> b t h w c", t=t, h=h, w=w)
        return {"token": token, "features": features}


@dataclasses.dataclass
class VideoMAEConfig(BackboneConfig):
    """ViT-B of VideoMAE; `VARIANTS` has the others' fields."""

    mean: ClassVar[tuple[float, ...]] = IMAGENET_MEAN
    std: ClassVar[tuple[float, ...]] = IMAGENET_STD
    width: int = 768
    depth: int = 12
    heads: int = 12
    patch: tuple[int, ...] = (2, 16, 16)  # pixels of a token along t, h and w
    mlp_ratio: float = 4.0
    dropout: float = 0.0
    drop_path: float = 0.1
    remat: bool = False

    def build(self, dtype: DTypeLike) -> VideoMAE:
        if len(self.patch) != 3 or min(self.patch) < 1:
            raise ValueError(
                f"Got patch {self.patch}; expected three sizes, of t, h and w."
            )
        return VideoMAE(**dataclasses.asdict(self), dtype=dtype)
