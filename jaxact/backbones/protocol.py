"""What a backbone is: clips of one or more streams in, named features out.

A backbone is a Flax module. Models take it as a field: its weights are shared by
calling one module, and unshared by ``backbone.clone(name=..., parent=self)``.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Protocol

import einops
import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxact.config import Config

Features = dict[str, Any]


class Backbone(Protocol):
    """Normalised clips ``[b t h w c]``, or skeletons, to a dict of named features.

    Several clips, of one size, run as one batch through the same weights: the rows of
    the first clip in all streams, then of the second, ``(b s)``. A device thus keeps
    what it has of a batch that is divided over many. Clips whose channels are not those
    of the first get a stem of their own.

    Always there: ``token [b d]``, what a classifier reads: a class token, or the mean
    of the last map. A network that ends in a map has it as ``features [b t h w c]``.
    Whatever else it has is there under its name: ``patches``, ``queries``, ``keys``,
    ``stages``, ...; XLA drops what nobody reads.
    """

    def __call__(self, *videos: jax.Array, train: bool = False) -> Features: ...

    def clone(self, **fields: Any) -> Any: ...


@dataclasses.dataclass
class BackboneConfig(Config):
    """The typed fields of one backbone, nested in the config of a model.

    Attributes:
      mean, std: of the intensities in [0, 1] that the public weights expect, one for
        all channels or one for each of red, green and blue.
    """

    mean: ClassVar[tuple[float, ...]]
    std: ClassVar[tuple[float, ...]]

    def build(self, dtype: DTypeLike) -> nn.Module:
        """Returns the backbone, which computes in ``dtype``."""
        raise TypeError(f"{type(self).__name__} must define build().")


def run_stems(
    videos: Sequence[jax.Array], stem: Callable[[int], Callable[[jax.Array], jax.Array]]
) -> jax.Array:
    """Runs every clip through the stem of its channels, and stacks them: ``(b s)``.

    Args:
      videos: ``[b t h w c]`` of one b, t, h and w.
      stem: makes the stem of so many channels, once for each number of them.
    """
    if len({video.shape[:-1] for video in videos}) != 1:
        raise ValueError(
            f"Got clips of the shapes {[video.shape for video in videos]}; streams "
            "that run as one batch must agree in all but their channels. Streams of "
            "other sizes need networks of their own: layout='unshared'."
        )
    stems = {c: stem(c) for c in dict.fromkeys(video.shape[-1] for video in videos)}
    stacked = jnp.stack([stems[video.shape[-1]](video) for video in videos], axis=1)
    return einops.rearrange(stacked, "b s ... -> (b s) ...")


def stem_name(name: str, channels: int, first: int) -> str:
    """Returns the name of a stem: plain for clips of the usual number of channels."""
    return name if channels == first else f"{name}_{channels}"
