"""Loss terms: frozen dataclasses from a model's out dict to one number an example.

A term has a ``name``, a ``weight`` and ``__call__(out, batch) -> [b]`` float32. The
train step takes the mean over real examples and adds ``weight * mean``. A term names
the entries of ``out`` it reads, so that one step serves every model family.
"""

import dataclasses
from typing import Protocol

import jax
import jax.numpy as jnp

from jaxact.batch import PRESENT, TARGET, Batch
from jaxact.out import Out


def at_label(values: jax.Array, batch: Batch) -> jax.Array:
    """Returns the values ``[b ... y]`` of the label, or their mean by `TARGET` [b y].

    Raises:
      KeyError: the batch has neither.
    """
    if TARGET in batch:
        return jnp.einsum("b...y,by->b...", values, batch[TARGET])
    label = batch["label"].reshape(-1, *(1,) * (values.ndim - 1))
    return jnp.take_along_axis(values, label, axis=-1)[..., 0]


class Loss(Protocol):
    """What the train step asks of a loss term."""

    @property
    def name(self) -> str: ...

    @property
    def weight(self) -> float: ...

    def __call__(self, out: Out, batch: Batch) -> jax.Array: ...


@dataclasses.dataclass(frozen=True)
class CrossEntropy:
    """Cross-entropy of ``out[logits]`` [b y] with the label, see `at_label`.

    Attributes:
      stream: logits are of this stream of the batch's ``present``: clips that lack it
        count 0. None: of all.
    """

    name: str = "cross_entropy"
    weight: float = 1.0
    logits: str = "logits"
    stream: int | None = None

    def __call__(self, out: Out, batch: Batch) -> jax.Array:
        log_p = jax.nn.log_softmax(out[self.logits].astype(jnp.float32))
        loss = -at_label(log_p, batch)
        if self.stream is not None and PRESENT in batch:
            loss = jnp.where(batch[PRESENT][:, self.stream], loss, 0)
        return loss


@dataclasses.dataclass(frozen=True)
class ScoreFunction:
    """The score-function gradient of what was chosen at random (Williams 1992).

    ``(c_i - mean of c_j of the other clips) log p_i``, c the cross-entropy of
    ``out[logits]``, without a gradient, and p the probability of the clip's choice. The
    baseline does not depend on the clip's own choice: the gradient stays unbiased.
    """

    name: str = "score_function"
    weight: float = 1.0
    logits: str = "logits"
    log_probability: str = "log_choice"

    def __call__(self, out: Out, batch: Batch) -> jax.Array:
        cost = jax.lax.stop_gradient(CrossEntropy(logits=self.logits)(out, batch))
        real = batch.get("mask", jnp.ones(cost.shape, bool))
        cost = jnp.where(real, cost, 0)
        others = jnp.maximum(real.sum() - real, 1)
        baseline = (cost.sum() - cost) / others
        return (cost - baseline) * out[self.log_probability]
