"""How NetVLAD's centres start: k-means over features of training clips."""

from collections.abc import Callable, Iterator
from typing import Any

import einops
import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from jaxact.devices import distributed, platform
from jaxact.layers import netvlad
from jaxact.run import log

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
        centres, error = netvlad.kmeans(key, joined, clusters)
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
            log.counter("k-means: reading clip", min(done, clips), clips)
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
