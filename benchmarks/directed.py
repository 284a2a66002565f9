"""Speed of directed attention's orders of products, at the stages of ResNet50-C2D.

    python -m benchmarks.directed
    python -m benchmarks.directed --stages 1 2 3 4 --axes joint space time

All orders give the same result (`jaxact.layers.nonlocal_blocks.DirectedNonLocal`);
they are timed by turns in one run, forward and with the gradient. The first stage's
quadratic order, the paper's, holds 25,088 x 25,088 weights: 2.5 GB, and more in
training.
"""

import argparse
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.arguments import at_least
from benchmarks.turns import by_turns, row, timed
from jaxact.layers.nonlocal_blocks import AXES, DirectedNonLocal, order_costs

# t h w c of a stage, 32 x 224 x 224.
STAGES = {
    1: (8, 56, 56, 256),
    2: (4, 28, 28, 512),
    3: (4, 14, 14, 1024),
    4: (4, 7, 7, 2048),
}


def calls(order: str, axis: str, x: jax.Array, training: bool) -> Any:
    """Returns a compiled call that returns its seconds."""
    block = DirectedNonLocal(axis, order=order)
    variables = jax.jit(block.init)(jax.random.key(0), x)

    def loss(variables: Any, x: jax.Array) -> jax.Array:
        return jnp.sin(block.apply(variables, x)).sum()

    function = jax.jit(jax.grad(loss, (0, 1)) if training else block.apply)
    return timed(lambda: function(variables, x))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stages", type=at_least(1), nargs="+", default=[2, 3, 4])
    parser.add_argument("--axes", nargs="+", default=["joint"], choices=tuple(AXES))
    parser.add_argument("--turns", type=at_least(1), default=5)
    args = parser.parse_args()
    print(f"Directed attention, one clip, float32; {jax.devices()}")
    for stage in args.stages:
        t, h, w, c = STAGES[stage]
        random = np.random.default_rng(0)
        x = jnp.asarray(random.normal(size=(1, t, h, w, c)), jnp.float32)
        for axis in args.axes:
            n = {"joint": t * h * w, "time": t, "space": h * w}[axis]
            costs = order_costs(n, c, c // 8, c // 2)
            print(f"Res{stage}, {axis}: groups of {n} positions, {c} channels")
            for training in (False, True):
                sides = {order: calls(order, axis, x, training) for order in costs}
                name = "training" if training else "forward"
                print(row(name, by_turns(sides, args.turns)), flush=True)


if __name__ == "__main__":
    main()
