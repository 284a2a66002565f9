"""The matrix product of a 1x1x1 convolution, with a gradient that is cheap on CPU."""

import jax
import jax.numpy as jnp


@jax.custom_vjp
def pointwise(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Multiplies ``[b t h w i]`` by ``[i o]``.

    The kernel's gradient sums over all positions, and XLA on CPU first turns the first
    factor of such a product round, a slow copy: here that is the one with fewer
    channels (ResNet-50's training step: 1.2 times as fast, benchmarks.against_torch).
    """
    return jnp.einsum("bthwi,io->bthwo", x, kernel)


def _forward(
    x: jax.Array, kernel: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return pointwise(x, kernel), (x, kernel)


def _backward(
    kept: tuple[jax.Array, jax.Array], dy: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, kernel = kept
    dx = jnp.einsum("bthwo,io->bthwi", dy, kernel)
    if kernel.shape[0] < kernel.shape[1]:
        return dx, jnp.einsum("bthwi,bthwo->io", x, dy)
    return dx, jnp.einsum("bthwo,bthwi->oi", dy, x).T


pointwise.defvjp(_forward, _backward)
