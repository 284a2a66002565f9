"""The matrix product of a 1x1x1 convolution, with a gradient that is cheap on CPU."""

import einops
import jax
import jax.numpy as jnp

from jaxact.devices import platform


@jax.custom_vjp
def pointwise(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Multiplies ``[b t h w i]`` by ``[i o]``.

    The kernel's gradient sums over all positions, and XLA on CPU first turns the first
    factor of such a product round, a slow copy: here that is the one with fewer
    channels (ResNet-50's training step: 1.2 times as fast, benchmarks.against_torch).
    """
    if platform.is_portable():  # LiteRT multiplies no five axes by two
        y = jax.lax.conv_general_dilated(
            einops.rearrange(x, "b t h w i -> (b t) h w i"),
            kernel[None, None],
            (1, 1),
            ((0, 0), (0, 0)),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        return einops.rearrange(y, "(b t) h w o -> b t h w o", b=x.shape[0])
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
