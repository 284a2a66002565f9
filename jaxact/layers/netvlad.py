"""NetVLAD pooling (Arandjelovic et al. 2016; TSM-NetVLAD, section 2.3).

Alphabet: b batch, n positions of a video, d width, k clusters. Everything here is
float32, whatever comes in: with alpha = 1000 half precision would round the assignments
away, and norms of sums over many positions would lose what is small.
"""

import functools
from typing import NamedTuple

import einops
import flax.linen as nn
import jax
import jax.numpy as jnp

# Products of three bfloat16 parts or the like: 1000 times the error of one would decide
# which cluster a feature is assigned to.
einsum = functools.partial(jnp.einsum, precision=jax.lax.Precision.HIGHEST)


def inverse_length(x: jax.Array, epsilon: float = 1e-12) -> jax.Array:
    """Returns ``1 / |x|`` along the last axis; what is shorter than epsilon gives 0.

    The gradient there is 0 too, not a division by nothing.
    """
    square = jnp.square(x).sum(axis=-1)
    long = square > epsilon**2
    return jnp.where(long, jax.lax.rsqrt(jnp.where(long, square, 1.0)), 0.0)


def unit_length(x: jax.Array) -> jax.Array:
    """Returns ``x / |x|`` along the last axis; zeros stay zeros."""
    return x * inverse_length(x)[..., None]


class Vlad(NamedTuple):
    """What `NetVLAD` makes of a video, and what it was made from.

    Attributes:
      vector: ``[b k*d]`` of unit length.
      assignments: ``[b n k]``, shares of each position that add up to 1.
      features: ``[b n d]``, as the clusters saw them.
      centres: ``[k d]``.
      scale: ``[b k]``, by which each cluster's residuals were multiplied in all.
    """

    vector: jax.Array
    assignments: jax.Array
    features: jax.Array
    centres: jax.Array
    scale: jax.Array

    def contributions(self, weights: jax.Array) -> jax.Array:
        """Returns what each position adds to ``vector . weights``: a class's map.

        Args:
          weights: a classifier's for one class a video, ``[b k*d]``.

        Returns:
          ``[b n]``; the sum over n is the product.
        """
        clusters = self.centres.shape[0]
        weights = einops.rearrange(weights, "b (k d) -> b k d", k=clusters)
        along = einsum("bnd,bkd->bnk", self.features, weights)
        along -= einsum("kd,bkd->bk", self.centres, weights)[:, None]
        return (self.assignments * along * self.scale[:, None]).sum(axis=-1)


class NetVLAD(nn.Module):
    """Sums of residuals to cluster centres, softly assigned (Eq. 4).

    ``V(j, k) = sum_i softmax_k(-alpha |x_i - c_k|^2) (x_i(j) - c_k(j))``; then each
    cluster's column is brought to unit length, all are flattened, and that is too.

    ``-alpha |x - c|^2`` is ``x . w + b``, ``w = 2 alpha c`` and ``b = -alpha |c|^2``,
    less a term that all clusters share. w and b start so and then learn on their own,
    decoupled from the centres, as in the original; alpha scales both and learns too.

    Attributes:
      clusters: k.
      alpha: at the start.
      normalize: bring the features to unit length first.
    """

    clusters: int = 64
    alpha: float = 1000.0
    normalize: bool = True

    @nn.compact
    def __call__(self, x: jax.Array) -> Vlad:
        """Pools ``[b n d]``."""
        if x.ndim != 3 or self.alpha <= 0:
            raise ValueError(
                f"Got features {x.shape} and alpha {self.alpha}; expected [b n d], all "
                "positions of a video along n, and a positive alpha."
            )
        width = x.shape[-1]
        centres = self.param("centres", random_centres, (self.clusters, width))
        start = start_values(centres, self.alpha)

        def learned(name: str) -> jax.Array:
            return self.param(name, lambda key: start[name])

        x = x.astype(jnp.float32)
        if self.normalize:
            x = unit_length(x)
        logits = einsum("bnd,dk->bnk", x, learned("assignment"))
        logits += learned("assignment_bias")[None, None]
        assignments = jax.nn.softmax(logits * (learned("alpha") / self.alpha))

        sums = einsum("bnk,bnd->bkd", assignments, x)
        # By broadcasting: ONNX Runtime runs no "bk,kd->bkd", which sums over nothing.
        sums -= assignments.sum(axis=1)[..., None] * centres[None]
        columns = unit_length(sums)
        flat = einops.rearrange(columns, "b k d -> b (k d)")
        return Vlad(
            vector=unit_length(flat),
            assignments=assignments,
            features=x,
            centres=centres,
            scale=inverse_length(sums) * inverse_length(flat)[:, None],
        )


def random_centres(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Returns centres of unit length in random directions, ``[k d]``."""
    return unit_length(jax.random.normal(key, shape))


def start_values(centres: jax.Array, alpha: float) -> dict[str, jax.Array]:
    """Returns `NetVLAD`'s parameters with which it evaluates Eq. 4 for these centres.

    Args:
      centres: ``[k d]``.
      alpha: of the module.

    Returns:
      centres ``[k d]``, assignment ``[d k]``, assignment_bias ``[k]``, alpha ``[]``.
    """
    centres = jnp.asarray(centres, jnp.float32)
    return {
        "centres": centres,
        "assignment": einops.rearrange(2 * alpha * centres, "k d -> d k"),
        "assignment_bias": -alpha * jnp.square(centres).sum(axis=-1),
        "alpha": jnp.full((), alpha, jnp.float32),
    }
