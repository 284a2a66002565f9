"""Fusions: what several streams say, made one; each a module, its loss beside it.

Alphabet: b batch, s streams, n places of a map, d width, y classes.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import jax
import jax.numpy as jnp


class Fusion(Protocol):
    """Streams' outputs, and which streams a clip really has, to what a model returns.

    Attributes:
      of_scores: whether it reads the scores of every stream's own classifier.
      of_patches: whether it reads the streams' last maps; a fusion need not say.
      stages: of a fusion that lets the streams change one another's maps, after which
        of the networks' stages, counted back from the last, 1; with each of them, in
        falling order, ``between(stage, maps, train=...)`` is called, which returns the
        maps ``[b ... c]`` of all streams, 0 of a missing one. A fusion need not say.
    """

    of_scores: ClassVar[bool]

    def __call__(
        self,
        streams: Mapping[str, Any],
        present: jax.Array | None = None,
        *,
        train: bool = False,
    ) -> dict[str, Any]:
        """Fuses.

        Args:
          streams: ``tokens [b s d]``, the vectors that classifiers read; if it is
            ``of_scores``, ``logits [b s y]``; if it is ``of_patches``, ``patches``, a
            tuple of every stream's ``[b n d]``; and in training, for what is learned
            from the past, the batch's ``label``, ``id`` and ``mask`` ``[b]``.
          present: bool ``[b s]``; what a missing stream holds has no influence. None:
            all are present.
          train: turns on what is random.

        Returns:
          ``logits [b y]``, or ``token [b d]``, which the model's one classifier reads;
          and whatever the fusion's losses and its users look at.
        """
        ...

    def losses(self) -> tuple[Any, ...]:
        """Returns the terms it is trained with; see `jaxact.losses`."""
        ...


def check_several(count: int, what: str) -> None:
    """Refuses one vector where a fusion works between several.

    Raises:
      ValueError: the count of the streams' vectors is one.
    """
    if count < 2:
        raise ValueError(
            f"Got one vector for {what}; expected two streams or more, each with a "
            "pass of its own (layout='passes' or 'unshared')."
        )


def sequences(streams: Mapping[str, Any], present: jax.Array | None) -> list[jax.Array]:
    """Returns each stream's tokens ``[b 1+n d]``: its vector, and then its map.

    They are 0 of a stream that is not there.
    """
    found = []
    for index, places in enumerate(streams["patches"]):
        vector = streams["tokens"][:, index, None].astype(places.dtype)
        own = None if present is None else present[:, index]
        found.append(only_present(jnp.concatenate([vector, places], axis=1), own))
    return found


def only_present(x: jax.Array, present: jax.Array | None) -> jax.Array:
    """Returns ``[b s ...]`` with zeros for the streams that are not there.

    Args:
      x: of all streams, or ``[b ...]`` of one.
      present: bool ``[b s]``, or ``[b]`` of one stream; None: all are there.
    """
    if present is None:
        return x
    # Not a product: what is missing may be anything, NaN too.
    return jnp.where(
        present.reshape(*present.shape, *(1,) * (x.ndim - present.ndim)), x, 0
    )


def mean_of_present(x: jax.Array, present: jax.Array | None) -> jax.Array:
    """Averages ``[b s ...]`` over the streams that are there; none gives 0."""
    if present is None:
        return x.mean(axis=1)
    number = jnp.maximum(present.sum(axis=1), 1).reshape(-1, *(1,) * (x.ndim - 2))
    return (only_present(x, present).sum(axis=1) / number).astype(x.dtype)


def mean_of_scores(logits: jax.Array, shares: jax.Array) -> jax.Array:
    """Averages softmax scores ``[b s y]`` of streams, or of other answers.

    Args:
      logits: ``[b s y]``.
      shares: of each of the s, ``[b s]``; they sum to 1.

    Returns:
      The average's logarithm ``[b y]``, whose softmax it is.
    """
    scores = jax.nn.log_softmax(logits)
    return jax.nn.logsumexp(scores, axis=1, b=shares[:, :, None])
