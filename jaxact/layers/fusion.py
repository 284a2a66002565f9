"""Adaptive masked fusion (STAFusion, section 3.4, Eq. 13-16).

Alphabet: b batch, t frames of all streams together, n patches of a frame, d width,
a heads. XLA compiles fixed shapes, so dropped regions are handled in one of two ways
that give the same result to rounding: masks over all tokens, or a gather of exactly
the kept tokens, whose number is fixed by the config.
"""

import einops
import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxact.layers.masking import LAYER_NORM_EPSILON, SelfAttention
from jaxact.layers.mlp import Mlp
from jaxact.out import KEY, SECONDARY


class FusionBlock(nn.Module):
    """Local attention, global attention and MLP, pre-norm with residuals.

    The same parameters serve both forms; `AdaptiveMaskedFusion` says what they do.
    """

    heads: int
    mlp_ratio: float
    masked_attention: bool
    masked_mlp: bool
    dropout: float
    dtype: DTypeLike

    def setup(self) -> None:
        def norm() -> nn.LayerNorm:
            return nn.LayerNorm(epsilon=LAYER_NORM_EPSILON, dtype=self.dtype)

        self.local_norm, self.global_norm, self.mlp_norm = norm(), norm(), norm()
        self.local_attention = SelfAttention(self.heads, self.dropout, self.dtype)
        self.global_attention = SelfAttention(self.heads, self.dropout, self.dtype)
        self.mlp = Mlp(self.mlp_ratio, self.dropout, self.dtype)

    def local(
        self,
        token: jax.Array,
        patches: jax.Array,
        keep: jax.Array | None,
        weights: jax.Array,
        *,
        train: bool,
    ) -> tuple[jax.Array, jax.Array]:
        """Attention inside each frame (Eq. 13-14): frames' tokens and their patches."""
        b, t, _, d = patches.shape
        tokens = jnp.broadcast_to(token[:, None, None], (b, t, 1, d))
        x = jnp.concatenate([tokens, patches], axis=2)
        mask = _with_class_token(keep) if self.masked_attention else None
        weighted = self.local_norm(x) * weights[:, :, None, None]
        x = x + self.local_attention(weighted, mask, train=train)[0]
        return x[:, :, 0], x[:, :, 1:]

    def across(
        self,
        x: jax.Array,
        keep: jax.Array | None,
        weights: jax.Array,
        *,
        train: bool,
    ) -> jax.Array:
        """Attention over ``[b 1+m d]``, all frames of both streams (Eq. 15)."""
        mask = keep if self.masked_attention else None
        weighted = self.global_norm(x) * weights[:, :, None]
        return x + self.global_attention(weighted, mask, train=train)[0]

    def feed_forward(
        self, x: jax.Array, keep: jax.Array | None, *, train: bool
    ) -> jax.Array:
        """The MLP over ``[b 1+m d]``, dropped tokens zeroed before it (Eq. 16)."""
        if self.masked_mlp and keep is not None:
            x = jnp.where(keep[..., None], x, 0)
        return x + self.mlp(self.mlp_norm(x), train=train)

    def __call__(
        self,
        token: jax.Array,
        parts: tuple[jax.Array, ...],
        keep: jax.Array | None,
        weights: tuple[jax.Array, ...],
        *,
        train: bool,
    ) -> tuple[jax.Array, tuple[jax.Array, ...]]:
        """One block over groups of frames, each ``[b f m d]``, with weights ``[b f]``.

        The masked form is one group, of all frames, with its ``keep [b f m]``. The
        packed form is a group of key frames and one of secondary key frames, which
        hold kept tokens only: their ``keep`` is None.
        """
        local = [
            self.local(token, part, keep, weight, train=train)
            for part, weight in zip(parts, weights, strict=True)
        ]
        frame_tokens = jnp.concatenate([tokens for tokens, _ in local], axis=1)
        used = None if keep is None else keep.any(axis=-1)
        token = _mean_of_used(frame_tokens, used, token)
        flat = [einops.rearrange(x, "b f m d -> b (f m) d") for _, x in local]
        x = jnp.concatenate([token[:, None], *flat], axis=1)
        if keep is not None:
            keep = _with_class_token(einops.rearrange(keep, "b f m -> b (f m)"))
        every = [
            einops.repeat(weight, "b f -> b (f m)", m=part.shape[2])
            for part, weight in zip(parts, weights, strict=True)
        ]
        every = [jnp.ones_like(every[0][:, :1]), *every]  # the class token has none
        x = self.across(x, keep, jnp.concatenate(every, axis=1), train=train)
        x = self.feed_forward(x, keep, train=train)
        lengths = [part.shape[1] * part.shape[2] for part in parts]
        stops = [1 + sum(lengths[: i + 1]) for i in range(len(parts))]
        token, *flat = jnp.split(x, [1, *stops[:-1]], axis=1)
        outputs = tuple(
            einops.rearrange(out, "b (f m) d -> b f m d", m=part.shape[2])
            for out, part in zip(flat, parts, strict=True)
        )
        return token[:, 0], outputs


def _with_class_token(keep: jax.Array | None) -> jax.Array | None:
    """Extends ``[... n]`` to ``[... 1+n]``: the class token is always kept."""
    if keep is None:
        return None
    return jnp.concatenate([jnp.ones_like(keep[..., :1]), keep], axis=-1)


def _mean_of_used(
    tokens: jax.Array, used: jax.Array | None, otherwise: jax.Array
) -> jax.Array:
    """Averages ``[b t d]`` over the frames in use; ``otherwise`` if there are none."""
    if used is None:
        return tokens.mean(axis=1, dtype=jnp.float32).astype(tokens.dtype)
    total = jnp.where(used[..., None], tokens, 0).sum(axis=1, dtype=jnp.float32)
    number = used.sum(axis=1)[:, None]
    mean = (total / jnp.maximum(number, 1)).astype(tokens.dtype)
    return jnp.where(number > 0, mean, otherwise)


class AdaptiveMaskedFusion(nn.Module):
    """Fuses both streams' kept regions into one class token (Eq. 9-16).

    Each block: the class token is repeated to every frame and attends to that frame's
    kept patches (local); the frames' tokens are averaged over the frames that keep
    anything; that token and all kept patches of all frames attend to each other
    (global); then an MLP sees the kept tokens.

    With one block the class token is read right after the MLP, which works on each
    token alone: ``masked_mlp`` then changes `patches` only, and the class token from
    the second block on.

    Attributes:
      frames: (key, secondary) numbers of frames, see `selection.frame_counts`.
      regions: (key, secondary) numbers of patches, see `selection.region_counts`.
      masked_attention, masked_mlp: the paper's Table 5; off means that all tokens take
        part.
      packed: computes the kept tokens only. It needs both masks; with either off there
        is nothing to leave out and the masked form is computed.
    """

    heads: int
    frames: tuple[int, int]
    regions: tuple[int, int]
    depth: int = 1
    mlp_ratio: float = 2.0
    masked_attention: bool = True
    masked_mlp: bool = True
    packed: bool = True
    dropout: float = 0.0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self,
        token: jax.Array,
        patches: jax.Array,
        marks: jax.Array,
        keep: jax.Array,
        weights: jax.Array | None = None,
        *,
        train: bool = False,
    ) -> tuple[jax.Array, jax.Array]:
        """Returns the fused class token and the patch features.

        Args:
          token: ``[b d]``, the streams' joint class token.
          patches: ``[b t n d]``.
          marks: ``[b t]`` of `selection.select_frames`.
          keep: ``[b t n]`` bool of `selection.select_regions`.
          weights: ``[b t]`` of `selection.frame_weights`, by which the frames' features
            are multiplied where they enter attention, behind the norm: before it they
            would do nothing, for the norm undoes any scale, and the frames' scores
            would get no gradient of the loss. None is 1 for all.
          train: whether dropout is on.

        Returns:
          token ``[b d]`` and patches ``[b t n d]``, which are 0 at dropped regions
          where ``masked_mlp`` is on.
        """
        if patches.shape[:3] != keep.shape or marks.shape != keep.shape[:2]:
            raise ValueError(
                f"Got patches {patches.shape}, marks {marks.shape} and keep "
                f"{keep.shape}; expected [b t n d], [b t] and [b t n]."
            )
        token, patches = token.astype(self.dtype), patches.astype(self.dtype)
        pack = self.packed and self.masked_attention and self.masked_mlp
        places: tuple[jax.Array, ...] = ()
        parts: tuple[jax.Array, ...] = (patches,)
        mask: jax.Array | None = keep
        if weights is None:
            weights = jnp.ones(marks.shape)
        weights = weights.astype(self.dtype)
        factors: tuple[jax.Array, ...] = (weights,)
        if pack:
            places = packed_places(marks, keep, self.frames, self.regions)
            parts, mask = tuple(take_packed(patches, place) for place in places), None
            frames = [place[:, :, 0] // patches.shape[2] for place in places]
            factors = tuple(
                jnp.take_along_axis(weights, frame, axis=1) for frame in frames
            )
        for index in range(self.depth):
            block = FusionBlock(
                self.heads,
                self.mlp_ratio,
                self.masked_attention,
                self.masked_mlp,
                self.dropout,
                self.dtype,
                name=f"blocks_{index}",
            )
            token, parts = block(token, parts, mask, factors, train=train)
        norm = nn.LayerNorm(
            epsilon=LAYER_NORM_EPSILON, dtype=self.dtype, name="final_norm"
        )
        token, parts = norm(token), tuple(norm(part) for part in parts)
        fused = parts[0]
        if pack:
            fused = jnp.zeros_like(patches)
            for part, place in zip(parts, places, strict=True):
                fused = put_packed(fused, part, place)
        elif self.masked_mlp:
            fused = jnp.where(keep[..., None], fused, 0)
        return token, fused


def packed_places(
    marks: jax.Array,
    keep: jax.Array,
    frames: tuple[int, int],
    regions: tuple[int, int],
) -> tuple[jax.Array, ...]:
    """Returns where the kept tokens stand, one array a kind of frame.

    Args:
      marks, keep: as in `AdaptiveMaskedFusion`; as many frames of each mark, and
        regions in each, as ``frames`` and ``regions`` say.
      frames, regions: (key, secondary) counts.

    Returns:
      For key and for secondary frames (where there are any): places ``[b f m]`` int32
      in the flattened ``(t n)`` axis.
    """
    n = keep.shape[-1]
    places = []
    for mark, f, m in zip((KEY, SECONDARY), frames, regions, strict=True):
        if f == 0 or m == 0:
            continue
        frame = jnp.argsort(marks != mark, axis=-1, stable=True)[:, :f]
        kept = jnp.take_along_axis(keep, frame[..., None], axis=1)
        region = jnp.argsort(~kept, axis=-1, stable=True)[..., :m]
        places.append((frame[..., None] * n + region).astype(jnp.int32))
    if not places:
        raise ValueError(
            f"Got frame counts {frames} and region counts {regions}: nothing is kept. "
            "Raise k1 or k2, and r1 or r2."
        )
    return tuple(places)


def take_packed(patches: jax.Array, places: jax.Array) -> jax.Array:
    """Gathers ``[b t n d]`` at ``places [b f m]`` as ``[b f m d]``."""
    flat = einops.rearrange(patches, "b t n d -> b (t n) d")
    index = einops.rearrange(places, "b f m -> b (f m) 1")
    taken = jnp.take_along_axis(flat, index, axis=1)
    return einops.rearrange(taken, "b (f m) d -> b f m d", m=places.shape[-1])


def put_packed(patches: jax.Array, values: jax.Array, places: jax.Array) -> jax.Array:
    """Writes ``values [b f m d]`` into ``[b t n d]`` at ``places [b f m]``."""
    flat = einops.rearrange(patches, "b t n d -> b (t n) d")
    index = einops.rearrange(places, "b f m -> b (f m)")
    values = einops.rearrange(values, "b f m d -> b (f m) d")
    # Row by row, which devices that have some of the rows each do without the others.
    flat = jax.vmap(lambda row, at, new: row.at[at].set(new))(flat, index, values)
    return flat.reshape(patches.shape)
