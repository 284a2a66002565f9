"""STAFusion's student looks again: at the kept frames, as if there were no others.

Behind the backbone's time attention every frame's features know all of them, so that
dropping frames then drops little of what they showed (measured: `docs/worlds.md`). In a
second run of the backbone over the kept frames alone nothing of the others is left, at
the price of that run. Samplers of frames do so (SCSampler, Korbar et al. 2019); the
paper does not.

Alphabet: b batch, s streams, t frames of a stream, k kept ones, n patches, d width.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import einops
import jax
import jax.numpy as jnp
import numpy as np

from jaxact.layers import chosen as chosen_lib
from jaxact.layers.chosen import Choice, Chosen
from jaxact.layers.selection import select_regions
from jaxact.models.streams import Branches, in_time


class Look(NamedTuple):
    """What the second look sees, of the ``s * k`` kept frames.

    Attributes:
      tokens: the streams' class tokens ``[b s d]``.
      patches: features ``[b s*k n d]``.
      chosen: of the frames that are looked at, ``places`` says which they are.
    """

    tokens: jax.Array
    patches: jax.Array
    chosen: Chosen


def look_again(
    branches: Branches,
    batch: Mapping[str, jax.Array],
    chosen: Chosen,
    choice: Choice,
    rollout: Callable[[Mapping[str, Any]], jax.Array],
    *,
    train: bool,
) -> Look:
    """Runs the backbone over the kept frames; regions are chosen by what it sees there.

    Args:
      branches: the backbone, of TimeSformer.
      batch: the streams ``[b t h w c]``, and which are ``present``.
      chosen: what was chosen of all frames, as many in every stream.
      choice: how; regions that the truth gives stay those.
      rollout: the patches' scores ``[b s*k n]`` by the backbone's features.
      train: whether dropout is on.
    """
    streams = branches.streams
    number = sum(choice.frame_counts(chosen.marks.shape[1])) // len(streams)
    marks = einops.rearrange(chosen.marks, "b (s t) -> b s t", s=len(streams))
    of_streams = indicator(marks > 0, number)
    kept = dict(batch)
    for index, name in enumerate(streams):
        kept[name] = chosen_lib.gather(of_streams[:, index], batch[name])
    features = branches(kept, places=of_streams, train=train)
    places = chosen_lib.side_by_side(of_streams)
    if choice.regions_from == "rollout":
        regions = rollout(features)
    else:
        regions = chosen_lib.gather(places, chosen.region_scores)
    of_places = chosen_lib.gather(places, chosen.marks)
    return Look(
        features["tokens"],
        in_time(features["patches"]),
        chosen._replace(
            marks=of_places,
            region_scores=regions,
            keep=select_regions(regions, of_places, *choice.region_fractions),
            weights=chosen_lib.gather(places, chosen.weights),
            places=places,
        ),
    )


def indicator(kept: jax.Array, number: int) -> jax.Array:
    """Returns which frame stands at which of so many places: the kept ones in order.

    By products alone, which every export format has; they are exact.

    Args:
      kept: bool ``[b s t]``.
      number: of places; where fewer are kept the last ones are empty.

    Returns:
      float32 ``[b s k t]``.
    """
    frames = kept.shape[-1]
    before = np.triu(np.ones((frames, frames), np.float32), 1)
    rank = jnp.einsum("bsu,ut->bst", kept.astype(jnp.float32), before)
    places = np.arange(number, dtype=np.float32)[None, None, :, None]
    return ((rank[:, :, None] == places) & kept[:, :, None]).astype(jnp.float32)


def in_clip(
    patches: jax.Array, seen: Chosen, chosen: Chosen
) -> tuple[jax.Array, Chosen]:
    """Puts what was seen of kept frames back among all of the clip.

    Args:
      patches: ``[b s*k n d]``.
      seen: of the kept frames.
      chosen: of all frames.

    Returns:
      The patches ``[b s*t n d]``, 0 of frames that are not kept; and what was chosen of
      all frames, with the regions of the second look.
    """
    assert seen.places is not None
    back = jnp.swapaxes(seen.places, 1, 2)
    regions = chosen_lib.gather(back, seen.region_scores)
    looked = chosen.marks[..., None] > 0
    return chosen_lib.gather(back, patches), chosen._replace(
        keep=chosen_lib.gather(back, seen.keep),
        region_scores=jnp.where(looked, regions, chosen.region_scores),
    )
