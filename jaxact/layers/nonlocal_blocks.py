"""Blocks that relate all positions of a video's feature map: NL, Poly-NL and DA-NL.

Every block is ``x + norm(y W_z)`` on ``[b t h w c]``, and starts as the identity: the
norm's scale starts at zero. It relates all positions ("joint"), the frames at every
place ("time") or the places of every frame ("space"). Source: directed attention model
(Li et al. 2024), eq. 1-22; non-local networks (Wang et al. 2018); Poly-NL (Babiloni et
al. 2021).

Alphabet: g groups of n positions each, that know nothing of other groups; m is n again;
c channels, k width of queries and keys, v width of values.
"""

from typing import Any, ClassVar, Literal

import einops
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from jaxact.layers.batch_norm import BatchNorm
from jaxact.strict import check_choice

AXES = {
    "joint": "b t h w c -> b 1 (t h w) c",
    "time": "b t h w c -> b (h w) t c",
    "space": "b t h w c -> b t (h w) c",
}
Position = Literal["none", "sinusoidal", "learned"]
Order = Literal["auto", "folded", "linear", "quadratic"]
UNIT_EPSILON = 1e-6

_init = nn.initializers.lecun_normal()


def unit_length(x: jax.Array) -> jax.Array:
    """Returns ``x / max(|x|, 1e-6)`` over the last axis, float32; of zeros, zeros."""
    x = x.astype(jnp.float32)
    square = jnp.square(x).sum(axis=-1, keepdims=True)
    return x * jax.lax.rsqrt(jnp.maximum(square, UNIT_EPSILON**2))


def _size(x: jax.Array) -> jax.Array:
    """Returns the root mean square of each clip ``[b t h w c]``, of no gradient."""
    square = jnp.square(x.astype(jnp.float32)).mean(axis=(1, 2, 3, 4), keepdims=True)
    return jax.lax.stop_gradient(jnp.sqrt(square))


def order_costs(n: int, channels: int, key: int, value: int) -> dict[str, float]:
    """Returns the multiply-accumulates of one group by order of the products.

    What `DirectedNonLocal` (variant 1) computes is ``Q^ K^T X W_g W_z / n``, products
    that may be taken in any order; queries and keys cost the same in all.
    """
    values = 2 * n * channels * value  # X W_g before, (...) W_z after
    return {
        "folded": 2 * n * key * channels + 2 * key * channels * value,
        "linear": values + 2 * n * key * value,
        "quadratic": values + n * n * (key + value),
    }


class _Matrix(nn.Module):
    """A matrix ``[i o]`` alone, so that it can be multiplied in any order."""

    features: int

    @nn.compact
    def __call__(self, inputs: int) -> jax.Array:
        return self.param("kernel", _init, (inputs, self.features))


class _Block(nn.Module):
    """What all blocks share; each says in ``relate`` how positions are related.

    Attributes:
      axis: see `AXES`.
      key_width: of queries and keys; 0 is an eighth of the channels.
      value_width: 0 is half the channels.
      poly_reduction: see `PolyNonLocal`; no other block has it.
      position: where a frame stands in the clip, added to the block's input (not to
        what its output is added to): "none" | "sinusoidal" | "learned". Both have the
        clip's own scale: a code of size 1 times the root mean square of its features.
        Without one nothing here knows the order of the frames.
    """

    axis: str = "joint"
    key_width: int = 0
    value_width: int = 0
    poly_reduction: int = 1
    position: Position = "none"
    dtype: DTypeLike = jnp.float32

    def relate(self, x: jax.Array) -> jax.Array:
        """``[b g n c]`` to ``[b g n c]``, W_z included."""
        raise NotImplementedError

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        if self.axis not in AXES:
            raise ValueError(f"Got axis {self.axis!r}; expected one of {tuple(AXES)}.")
        _, t, h, w, c = x.shape
        y = x.astype(self.dtype)
        check_choice("position", Position, self.position)
        if self.position != "none":
            place = jnp.asarray(sinusoids(t, c), jnp.float32)
            if self.position == "learned":
                place = self.param("position", nn.initializers.normal(1.0), (t, c))
            place = einops.rearrange(place, "t c -> 1 t 1 1 c") * _size(x)
            y = y + place.astype(self.dtype)
        y = self.relate(einops.rearrange(y, AXES[self.axis]))
        given, grouped = AXES[self.axis].split(" -> ")
        y = einops.rearrange(y, f"{grouped} -> {given}", t=t, h=h, w=w)
        norm = BatchNorm(
            scale_init=nn.initializers.zeros_init(), dtype=self.dtype, name="norm"
        )
        return x + norm(y, train=train)

    def _matrix(self, name: str, inputs: int, features: int) -> jax.Array:
        return _Matrix(features, name=name)(inputs).astype(self.dtype)

    def _widths(self, channels: int) -> tuple[int, int]:
        key, value = max(channels // 8, 1), max(channels // 2, 1)
        return self.key_width or key, self.value_width or value

    def _queries_and_keys(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        c = x.shape[-1]
        width, _ = self._widths(c)
        query, key = (self._matrix(name, c, width) for name in ("query", "key"))
        both = jnp.einsum("bgnc,ck->bgnk", x, jnp.concatenate([query, key], axis=1))
        return both[..., :width], both[..., width:]

    def _attend(self, weights: jax.Array, x: jax.Array) -> jax.Array:
        """Returns ``weights [b g n m] X W_g W_z``."""
        c = x.shape[-1]
        _, width = self._widths(c)
        value = jnp.einsum("bgmc,cv->bgmv", x, self._matrix("value", c, width))
        y = jnp.einsum("bgnm,bgmv->bgnv", weights.astype(self.dtype), value)
        return jnp.einsum("bgnv,vc->bgnc", y, self._matrix("out", width, c))


class NonLocal(_Block):
    """The non-local block: ``x + W_z softmax(Q K^T) V``, not scaled (eq. 20, 22)."""

    def relate(self, x: jax.Array) -> jax.Array:
        query, key = self._queries_and_keys(x)
        logits = jnp.einsum(
            "bgnk,bgmk->bgnm", query, key, preferred_element_type=jnp.float32
        )
        return self._attend(jax.nn.softmax(logits), x)


class PolyNonLocal(_Block):
    """Poly-NL: ``x + W_3(mean_n(W_1 x . W_2 x) . x)``, linear in n (eq. 19, 21).

    The dots are products by element, the mean is a group's. W_z would follow W_3 with
    nothing between them: the two are one matrix here, and all three are c x c.

    With ``poly_reduction`` r > 1 W_1 and W_2 go to c / r channels, and so must x: a
    matrix W_g brings it there, W_3 stays there and W_z leads back, which is
    ``4 c^2 / r + (c / r)^2`` parameters. With r = 4 these are 1.11 million on 1024
    channels; the Poly-NL of the paper's Table 3 has 1.15, and by eq. 19 it had 3.15.
    """

    def relate(self, x: jax.Array) -> jax.Array:
        c, reduction = x.shape[-1], self.poly_reduction
        if reduction < 1 or c % reduction:
            raise ValueError(
                f"Got poly_reduction {reduction} on {c} channels; expected a number "
                "that divides them."
            )
        width = c // reduction

        def mapped(x: jax.Array, name: str, channels: int) -> jax.Array:
            kernel = self._matrix(name, x.shape[-1], channels)
            return jnp.einsum("bgni,io->bgno", x, kernel)

        product = mapped(x, "first", width) * mapped(x, "second", width)
        mean = product.mean(axis=2, keepdims=True, dtype=jnp.float32)
        if reduction == 1:
            return mapped(mean.astype(self.dtype) * x, "out", c)
        y = mean.astype(self.dtype) * mapped(x, "value", width)
        return mapped(mapped(y, "third", width), "out", c)


class DirectedNonLocal(_Block):
    """Directed attention: positions weigh one another by the cosine of their features.

    Variant 1 (eq. 6, 14, 17) has no softmax: ``y = cos(Q, K) V / n``. So its products
    may be taken in any order, and ``order`` "auto" takes the cheapest for the shapes
    at hand: "folded" never makes values, ``Q^ ((K^^T X / n) W_g W_z)``; "linear" is
    ``Q^ (K^^T V / n)``; "quadratic" is the paper's, with the n x n weights.

    Variant 2 (eq. 9) is ``softmax(A . cos(Q, K)) V`` with a learned scale A, one number
    or, with ``matrix_scale``, one for each pair of positions.
    """

    variant: int = 1
    order: Order = "auto"
    matrix_scale: bool = False
    scale_start: float = 10.0

    def relate(self, x: jax.Array) -> jax.Array:
        check_choice("variant", Literal[1, 2], self.variant)
        check_choice("order", Order, self.order)
        n, c = x.shape[2:]
        query, key = (
            unit_length(part).astype(self.dtype) for part in self._queries_and_keys(x)
        )
        key_width, value_width = self._widths(c)
        costs = order_costs(n, c, key_width, value_width)
        order = (
            min(costs, key=costs.__getitem__) if self.order == "auto" else self.order
        )
        if self.variant == 2 or order == "quadratic":
            cosine = jnp.einsum(
                "bgnk,bgmk->bgnm", query, key, preferred_element_type=jnp.float32
            )
            if self.variant == 1:
                return self._attend(cosine / n, x)
            size = (n, n) if self.matrix_scale else ()
            start = nn.initializers.constant(self.scale_start)
            scale = self.param("scale", start, size)
            scale = scale.reshape((1, 1, n, n) if size else (1, 1, 1, 1))
            return self._attend(jax.nn.softmax(cosine * scale), x)
        value = self._matrix("value", c, value_width)
        out = self._matrix("out", value_width, c)
        if order == "folded":
            relation = jnp.einsum("bgkc,cv->bgkv", self._relation(key, x), value)
            relation = jnp.einsum("bgkv,vd->bgkd", relation, out)
            return jnp.einsum("bgnk,bgkd->bgnd", query, relation)
        relation = self._relation(key, jnp.einsum("bgnc,cv->bgnv", x, value))
        y = jnp.einsum("bgnk,bgkv->bgnv", query, relation)
        return jnp.einsum("bgnv,vc->bgnc", y, out)

    def _relation(self, key: jax.Array, x: jax.Array) -> jax.Array:
        """Returns ``K^^T X / n``, added up in float32."""
        relation = jnp.einsum(
            "bgnk,bgnc->bgkc", key, x, preferred_element_type=jnp.float32
        )
        return (relation / x.shape[2]).astype(self.dtype)


class _Factorized(nn.Module):
    """A block over time, then one over space, each with its own weights and residual.

    The fields are those of the blocks; the position goes to the one over time, which
    is where frames meet.
    """

    key_width: int = 0
    value_width: int = 0
    poly_reduction: int = 1
    position: Position = "none"
    order: Order = "auto"
    dtype: DTypeLike = jnp.float32

    # Of time, of space.
    blocks: ClassVar[tuple[type[_Block], type[_Block]]] = (
        DirectedNonLocal,
        DirectedNonLocal,
    )

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        for axis, block in zip(("time", "space"), self.blocks, strict=True):
            fields: dict[str, Any] = dict(
                axis=axis,
                key_width=self.key_width,
                value_width=self.value_width,
                poly_reduction=self.poly_reduction,
                position=self.position if axis == "time" else "none",
                dtype=self.dtype,
                name=axis,
            )
            if block is DirectedNonLocal:
                fields["order"] = self.order
            x = block(**fields)(x, train=train)
        return x


class DADA(_Factorized):
    """Directed attention over time, then over space (eq. 14-18)."""


class DAPoly(_Factorized):
    """Directed attention over time, Poly-NL over space (eq. 19)."""

    blocks = (DirectedNonLocal, PolyNonLocal)


class DADP(_Factorized):
    """Directed attention over time, dot-product attention over space (eq. 20)."""

    blocks = (DirectedNonLocal, NonLocal)


class PolyDA(_Factorized):
    """Poly-NL over time, directed attention over space (eq. 21)."""

    blocks = (PolyNonLocal, DirectedNonLocal)


class DPDA(_Factorized):
    """Dot-product attention over time, directed attention over space (eq. 22)."""

    blocks = (NonLocal, DirectedNonLocal)


def sinusoids(frames: int, channels: int) -> np.ndarray:
    """Returns sines and cosines ``[t c]`` of the frame's number, float64.

    Vaswani et al. 2017, but of waves of the clip's length: their lengths fall in one
    proportion from two clips (so that its ends are farthest apart) to four frames.
    Longer ones, made for sentences, are nearly the same in all frames. From each
    channel its mean over the frames is taken, which tells none from another; the root
    mean square of the whole is 1. Of one frame all are 0.
    """
    half = -(-channels // 2)
    share = np.arange(half) / max(half - 1, 1)
    lengths = 2 * frames * (min(4, 2 * frames) / (2 * frames)) ** share
    angles = 2 * np.pi * np.arange(frames)[:, None] / lengths
    table = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)[:, :channels]
    table -= table.mean(axis=0)
    return table / np.sqrt(np.square(table).mean()) if frames > 1 else 0 * table
