"""What a backbone is: clips of one or more streams in, named features out.

A backbone is a Flax module. Models take it as a field: its weights are shared by
calling one module, and unshared by ``backbone.clone(name=..., parent=self)``.
"""

import dataclasses
import math
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, ClassVar, Protocol

import einops
import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxact.config import Config

Features = dict[str, Any]
# A network under way: every stage's map goes out, what to go on with comes back.
Run = Generator[jax.Array, jax.Array, Features]


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

    All networks here are a `Staged`: a fusion may step in after each of their stages.
    """

    def __call__(self, *videos: jax.Array, train: bool = False) -> Features: ...

    def clone(self, **fields: Any) -> Any: ...


class Staged(nn.Module):
    """A backbone that is written as a run through its stages, and may stop at each.

    Several networks wait for one another by a `Walk` each.
    """

    @property
    def stage_count(self) -> int:
        """How many maps `run` yields."""
        raise NotImplementedError

    def run(self, *clips: jax.Array, train: bool = False) -> Run:
        """Yields every stage's map ``[(b s) ... c]``, goes on with what is sent back,
        and returns the features; see `Backbone`."""
        raise NotImplementedError

    # The body of `run` is executed in here, where a compact module may have submodules.
    @nn.compact
    def advance(self, run: Run, x: jax.Array | None = None) -> Any:
        """Goes on with ``x`` to the next stage's map, or to the features, a dict."""
        try:
            return run.send(x)  # type: ignore[arg-type]  # None at first
        except StopIteration as end:
            return end.value

    def __call__(self, *clips: jax.Array, train: bool = False) -> Features:
        """Runs clips; see `Backbone` and `run`."""
        return Walk(self, clips, train).end()


class Walk:
    """A `Staged` network on its way through its stages.

    Attributes:
      x: the map of the stage that it stands at, which may be replaced.
    """

    def __init__(
        self, network: Staged, clips: Sequence[jax.Array], train: bool, **more: Any
    ) -> None:
        """``more``: what a network's `run` takes besides."""
        self.network = network
        self.x: Any = None
        self._run = network.run(*clips, train=train, **more)
        self._stage = 0

    def to(self, stage: int) -> jax.Array:
        """Goes on to a stage, counted back from the last one, which is 1."""
        while self._stage <= self.network.stage_count - stage:
            self.x = self.network.advance(self._run, self.x)
            self._stage += 1
        return self.x

    def end(self) -> Features:
        """Goes on to the end and returns the features."""
        return self.network.advance(self._run, self.to(1))


def last_map(features: Mapping[str, Any], token: jax.Array) -> jax.Array | None:
    """Returns a network's last map ``[... n d]``, if it is as wide as its ``token``.

    Args:
      features: see `Backbone`.
      token: ``[... d]``.
    """
    found = features.get("patches", features.get("features"))
    if found is None or found.shape[-1] != token.shape[-1]:
        return None
    count = math.prod(found.shape[token.ndim - 1 : -1])
    return found.reshape(*token.shape[:-1], count, token.shape[-1])


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
