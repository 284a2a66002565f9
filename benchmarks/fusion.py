"""Speed of STAFusion's two shortcuts against the plain way, at the paper's sizes.

    python -m benchmarks.fusion

Packed against masked fusion: the same result from the 748 kept tokens of 3136. One-row
against full rollout: the class token's row, as a chain of vector-matrix products,
against the product of all layers' matrices. By turns in one run; a ratio is the median
of the turns' ratios.
"""

import argparse
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.arguments import at_least
from benchmarks.turns import by_turns, row, timed
from jaxact.layers import selection
from jaxact.layers.attention import attention_weights
from jaxact.layers.fusion import AdaptiveMaskedFusion
from jaxact.layers.rollout import attention_rollout, class_rollout

FRAMES, PATCHES, WIDTH, HEADS = 16, 196, 768, 12
FRAME_FRACTIONS, REGION_FRACTIONS = (0.25, 0.25), (0.60, 0.35)


def compare(
    name: str, slow: Callable[[], Any], quick: Callable[[], Any], turns: int
) -> None:
    """Prints both median times, the ratio, and how far the results are apart."""
    first, second = jax.block_until_ready((slow(), quick()))
    gaps = jax.tree.map(lambda x, y: jnp.abs(x - y).max(), first, second)
    scale = max(float(jnp.abs(x).max()) for x in jax.tree.leaves(first))
    gap = max(map(float, jax.tree.leaves(gaps))) / scale
    sides = {"plain": timed(slow), "shortcut": timed(quick)}
    text = row(name, by_turns(sides, turns))
    print(f"{text}  relative difference {gap:.0e}", flush=True)


def fusion(batch: int, turns: int) -> None:
    """Forward, and forward with the gradient of every parameter."""
    keys = jax.random.split(jax.random.key(0), 4)
    token = jax.random.normal(keys[0], (batch, WIDTH))
    patches = jax.random.normal(keys[1], (batch, FRAMES, PATCHES, WIDTH))
    scores = jax.random.uniform(keys[2], (batch, FRAMES))
    marks = selection.select_frames(scores, *FRAME_FRACTIONS)
    regions = jax.random.uniform(keys[3], (batch, FRAMES, PATCHES))
    keep = selection.select_regions(regions, marks, *REGION_FRACTIONS)

    def module(packed: bool) -> AdaptiveMaskedFusion:
        return AdaptiveMaskedFusion(
            HEADS,
            selection.frame_counts(FRAMES, *FRAME_FRACTIONS),
            selection.region_counts(PATCHES, *REGION_FRACTIONS),
            packed=packed,
        )

    variables = jax.jit(module(True).init)(keys[0], token, patches, marks, keep)

    def forward(packed: bool) -> Callable[[], Any]:
        apply = jax.jit(module(packed).apply)
        return lambda: apply(variables, token, patches, marks, keep)

    def step(packed: bool) -> Callable[[], Any]:
        def loss(variables: Any) -> jax.Array:
            out = module(packed).apply(variables, token, patches, marks, keep)
            return sum(jnp.square(x).mean() for x in out)  # type: ignore[attr-defined]

        gradient = jax.jit(jax.grad(loss))
        return lambda: gradient(variables)

    print(f"fusion, batch {batch}: {int(keep[0].sum())} of {keep[0].size} tokens kept")
    compare("forward", forward(False), forward(True), turns)
    compare("forward and gradient", step(False), step(True), turns)


def rollout(batch: int, layers: int, turns: int) -> None:
    """From queries and keys to the class token's row, both ways."""
    shape = (2, layers, batch, FRAMES, 1 + PATCHES, HEADS, WIDTH // HEADS)
    queries, keys = jax.random.normal(jax.random.key(1), shape)

    def full(heads: str) -> Callable[[], Any]:
        def call(queries: jax.Array, keys: jax.Array) -> jax.Array:
            maps = [attention_weights(q, k) for q, k in zip(queries, keys, strict=True)]
            return attention_rollout(maps, heads=heads)[..., 0, 1:]

        compiled = jax.jit(call)
        return lambda: compiled(queries, keys)

    def row(heads: str) -> Callable[[], Any]:
        compiled = jax.jit(lambda q, k: class_rollout(tuple(q), tuple(k), heads=heads))
        return lambda: compiled(queries, keys)

    print(f"rollout, batch {batch}, {layers} layers")
    for heads in ("product", "mean"):
        compare(f"heads={heads!r}", full(heads), row(heads), turns)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=at_least(1), default=1)
    parser.add_argument("--layers", type=at_least(1), default=10)
    parser.add_argument("--turns", type=at_least(1), default=5)
    args = parser.parse_args()
    print(f"float32; {jax.devices()}")
    fusion(args.batch, args.turns)
    rollout(args.batch, args.layers, args.turns)


if __name__ == "__main__":
    main()
