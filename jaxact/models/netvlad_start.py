"""How NetVLAD's centres start: k-means over features of training clips."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import einops
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from jaxact.devices import distributed, platform
from jaxact.layers import netvlad
from jaxact.models import netvlad_start

# Positions of a clip that are used at most: those of one clip resemble each other.
POSITIONS = 64

# (params, batch_stats, batch) -> features [b n d] of each NetVLAD, by module name.
Features = Callable[[Any, Any, Any], dict[str, jax.Array]]


def start_centres(
    features: Features,
    params: Any,
    batch_stats: Any,
    batches: Iterator[Any],
    *,
    clusters: int,
    alpha: float,
    clips: int,
    seed: int,
) -> Any:
    """Replaces the parameters of every `NetVLAD` by those of k-means.

    A function of its arguments alone: equal for every number of devices and hosts.

    Args:
      features: makes the features of one batch.
      params: of the model, nested; the modules stand at its top.
      batch_stats: of the model.
      batches: training batches on the devices.
      clusters, alpha: of the modules.
      clips: from how many clips features are taken.
      seed: of the random draws.

    Returns:
      The parameters, with other values under the names of ``features``.
    """
    sharding = jax.tree.leaves(params)[0].sharding
    if isinstance(sharding, NamedSharding):  # that of a copy, not of a part
        sharding = NamedSharding(sharding.mesh, PartitionSpec())

    def sample(key: jax.Array, *inputs: Any) -> dict[str, jax.Array]:
        def some(x: jax.Array) -> jax.Array:
            places = jax.random.permutation(key, x.shape[1])[:POSITIONS]
            x = netvlad.unit_length(x[:, places].astype("float32"))
            return einops.rearrange(x, "b n d -> (b n) d")

        return {name: some(x) for name, x in features(*inputs).items()}

    def find(key: jax.Array, *points: jax.Array) -> tuple[dict[str, jax.Array], Any]:
        joined = jax.numpy.concatenate(points)
        centres, error = netvlad_start.kmeans(key, joined, clusters)
        return netvlad.start_values(centres, alpha), error

    options = {
        "out_shardings": sharding,
        "compiler_options": platform.compiler_options(),
    }
    sample, find = (jax.jit(f, **options) for f in (sample, find))
    key = jax.jit(jax.random.key, out_shardings=sharding)(np.uint32(seed))
    found: list[dict[str, jax.Array]] = []
    done = 0
    while done < clips:
        batch = next(batches)
        done += len(batch["label"])
        found.append(sample(key, params, batch_stats, batch))
        jax.block_until_ready(found)
        if distributed.is_main():
            distributed.counter("k-means: reading clip", min(done, clips), clips)
    params = dict(params)
    for name in found[0]:
        points = [part[name] for part in found]
        params[name], error = find(key, *points)
        if distributed.is_main():
            number = sum(map(len, points))
            print(
                f"Centres of {name}: k-means of {number:,} features of {done} clips, "
                f"mean squared distance {float(error):.4f}",
                flush=True,
            )
    return params


@functools.partial(jax.jit, static_argnames=("clusters", "iterations"))
def kmeans(
    key: jax.Array, points: jax.Array, clusters: int, iterations: int = 30
) -> tuple[jax.Array, jax.Array]:
    """Finds cluster centres: Lloyd's algorithm from a k-means++ start.

    The first centre is a random point, every other one a point drawn with probability
    in proportion to its squared distance from the nearest centre so far (Arthur and
    Vassilvitskii 2007). Equal arguments give equal results.

    Args:
      key: of the random draws.
      points: ``[n d]``.
      clusters: k, at most n.
      iterations: of Lloyd's algorithm.

    Returns:
      The centres ``[k d]`` float32, and the mean squared distance of a point from the
      nearest of them.

    Raises:
      ValueError: there are fewer points than clusters.
    """
    points = points.astype(jnp.float32)
    if points.ndim != 2 or len(points) < clusters:
        raise ValueError(
            f"Got points {points.shape} for {clusters} clusters; expected [n d], "
            "at least as many points as clusters."
        )

    def draw(index: Any, carry: Any) -> Any:
        centres, nearest = carry
        # log 0 = -inf is never drawn, unless all are: then the first point is.
        number = jax.random.fold_in(key, index)
        centre = points[jax.random.categorical(number, jnp.log(nearest))]
        nearest = jnp.minimum(nearest, jnp.square(points - centre[None]).sum(axis=-1))
        return centres.at[index].set(centre), nearest

    first = points[jax.random.randint(jax.random.fold_in(key, 0), (), 0, len(points))]
    centres = jnp.zeros((clusters, points.shape[1]), jnp.float32).at[0].set(first)
    nearest = jnp.square(points - first[None]).sum(axis=-1)
    centres, _ = jax.lax.fori_loop(1, clusters, draw, (centres, nearest))
    centres = jax.lax.fori_loop(
        0, iterations, lambda _, centres: lloyd_step(points, centres), centres
    )
    return centres, _nearest(points, centres)[0].mean()


def lloyd_step(points: jax.Array, centres: jax.Array) -> jax.Array:
    """Moves each centre ``[k d]`` to the mean of the points ``[n d]`` nearest to it.

    A centre without points goes to the point that is farthest from its own centre,
    several of them to the farthest ones.
    """
    clusters = len(centres)
    nearest, owner = _nearest(points, centres)
    members = jax.nn.one_hot(owner, clusters, dtype=jnp.float32)
    # A product, not a scattered sum: GPUs add that up in any order.
    sums = netvlad.einsum("nk,nd->kd", members, points)
    counts = members.sum(axis=0)
    empty = counts == 0
    _, farthest = jax.lax.top_k(nearest, clusters)
    spare = points[farthest[jnp.maximum(jnp.cumsum(empty) - 1, 0)]]
    return jnp.where(empty[:, None], spare, sums / jnp.maximum(counts, 1)[:, None])


def _nearest(points: jax.Array, centres: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns each point's squared distance from its nearest centre, and which."""
    square = jnp.square(points).sum(axis=-1)[:, None]
    distances = square - 2 * netvlad.einsum("nd,kd->nk", points, centres)
    distances += jnp.square(centres).sum(axis=-1)[None]
    distances = jnp.maximum(distances, 0.0)
    return distances.min(axis=-1), distances.argmin(axis=-1)
