"""Boxes of a grid of tokens, side by side: cut out, put together, pooled.

Alphabet: b batch, t h w a grid, p q r a box of it, g boxes, n = pqr tokens of a box.

Cutting exchanges seven axes and more in one go. LiteRT exchanges six at most, so that
where all formats must hold it (`platform.is_portable`) two exchanges of two axes each
follow one another; every number is the same.
"""

import math
from collections.abc import Sequence

import einops
import jax

from jaxact.devices import platform


def to_windows(x: jax.Array, window: Sequence[int]) -> jax.Array:
    """Cuts ``[b t h w ...]`` into boxes ``[b g n ...]``; they fill the grid."""
    b, t, h, w, *rest = x.shape
    p, q, r = window
    if platform.is_portable():
        c = math.prod(rest)
        x = _exchanged(x, (b * (t // p) * p * (h // q), q, w // r, r * c))
        x = _exchanged(x, (b * (t // p), p, (h // q) * (w // r), q * r * c))
        groups = (t // p) * (h // q) * (w // r)
        return x.reshape(b, groups, p * q * r, *rest)
    return einops.rearrange(
        x, "b (t p) (h q) (w r) ... -> b (t h w) (p q r) ...", p=p, q=q, r=r
    )


def from_windows(x: jax.Array, grid: Sequence[int], window: Sequence[int]) -> jax.Array:
    """Puts boxes ``[b g n ...]`` together to ``[b *grid ...]``."""
    (t, h, w), (p, q, r) = grid, window
    if platform.is_portable():
        b, _, _, *rest = x.shape
        c = math.prod(rest)
        x = _exchanged(x, (b * (t // p), (h // q) * (w // r), p, q * r * c))
        x = _exchanged(x, (b * (t // p) * p * (h // q), w // r, q, r * c))
        return x.reshape(b, t, h, w, *rest)
    counts = {"t": t // p, "h": h // q, "w": w // r}
    return einops.rearrange(
        x,
        "b (t h w) (p q r) ... -> b (t p) (h q) (w r) ...",
        **{"p": p, "q": q, "r": r},
        **counts,
    )


def max_of_windows(x: jax.Array, window: Sequence[int]) -> jax.Array:
    """Returns the maximum of each box of ``[b t h w ...]``."""
    p, q, r = window
    if platform.is_portable():  # an axis after the other: no array of more than four
        b, t, h, w, *rest = x.shape
        c = math.prod(rest)
        x = x.reshape(b * t * h, w // r, r, c).max(axis=2)
        x = x.reshape(b * t, h // q, q, w // r * c).max(axis=2)
        x = x.reshape(b, t // p, p, h // q * (w // r) * c).max(axis=2)
        return x.reshape(b, t // p, h // q, w // r, *rest)
    return einops.reduce(
        x, "b (t p) (h q) (w r) ... -> b t h w ...", "max", p=p, q=q, r=r
    )


def _exchanged(x: jax.Array, shape: Sequence[int]) -> jax.Array:
    """Exchanges the second and third of these four axes."""
    return x.reshape(*shape).swapaxes(1, 2)
