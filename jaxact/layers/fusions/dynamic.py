"""Dynamic fusion (DynMM: Xue and Marculescu, CVPR workshops 2023), modality level.

Alphabet: b batch, s streams, e experts, d width, y classes.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxact.batch import PRESENT, Batch
from jaxact.layers.fusions import only_present
from jaxact.layers.fusions.confident import StreamCrossEntropy
from jaxact.losses import CrossEntropy
from jaxact.out import EXPECTED_COST, Out

JOINT = "joint_logits"


@dataclasses.dataclass(frozen=True)
class ExpectedCost:
    """The share of the streams that a clip needs: ``[b]``, see `DynMM`."""

    name: str = "expected_cost"
    weight: float = 0.1
    cost: str = EXPECTED_COST

    def __call__(self, out: Out, batch: Batch) -> jax.Array:
        return out[self.cost]


@dataclasses.dataclass(frozen=True)
class JointCrossEntropy(CrossEntropy):
    """Of the expert of all streams, on clips that have them: ``[b]``."""

    name: str = "joint_cross_entropy"
    logits: str = JOINT

    def __call__(self, out: Out, batch: Batch) -> jax.Array:
        own, present = super().__call__(out, batch), batch.get(PRESENT)
        return only_present(own, None if present is None else present.all(axis=1))


class DynMM(nn.Module):
    """A gate gives each clip to one expert: of one stream, or of all of them.

    Experts are the classifiers of every stream and one over all vectors side by side,
    the last. With ``g`` an MLP of these::

        w = softmax(g / temperature),  y = sum_e w_e l_e,  cost = sum_e w_e C_e

    ``C_e`` is 1 of all streams and 1/S of one: times the GMAC of S backbones, what a
    clip needs where experts that it is not given to are not run. (Here all are: an
    accelerator computes what its program says, and the cost is reported.) ``hard``
    gives all weight to the likeliest expert, with the gradient of the softmax, as the
    public code, which draws no noise. The experts learn at the same time, each by its
    own cross-entropy; there they are trained before. An expert that needs a missing
    stream has weight 0.

    Attributes:
      temperature, hard: see above.
      cost_weight: of the cost in the loss; the public code's for IMDB.
    """

    temperature: float = 1.0
    hard: bool = True
    cost_weight: float = 0.1
    of_scores: ClassVar[bool] = True

    @nn.compact
    def __call__(
        self,
        streams: Mapping[str, jax.Array],
        present: jax.Array | None = None,
        *,
        train: bool = False,
    ) -> dict[str, Any]:
        """Returns ``logits [b y]``, ``joint_logits [b y]`` of the expert of all,
        ``weights [b e]`` and ``expected_cost [b]``, 1 where all streams are needed."""
        tokens = only_present(streams["tokens"], present).astype(jnp.float32)
        each = only_present(streams["logits"], present).astype(jnp.float32)
        b, s, d = tokens.shape
        flat = tokens.reshape(b, s * d)
        joint = nn.Dense(each.shape[-1], name="joint")(flat)
        gate = nn.Dense(s + 1, name="gate")(nn.relu(nn.Dense(d, name="hidden")(flat)))
        gate = gate / self.temperature
        if present is not None:
            able = jnp.concatenate(
                [present, present.all(axis=1, keepdims=True)], axis=1
            )
            # Of nothing at all (a row of padding) any expert, not NaN.
            able = able | ~able.any(axis=1, keepdims=True)
            gate = jnp.where(able, gate, -jnp.inf)
        weights = jax.nn.softmax(gate, axis=-1)
        if self.hard:
            chosen = jax.nn.one_hot(weights.argmax(axis=-1), s + 1)
            weights = chosen + weights - jax.lax.stop_gradient(weights)
        costs = jnp.array([1.0 / s] * s + [1.0])
        experts = jnp.concatenate([each, joint[:, None]], axis=1)
        return {
            "logits": jnp.einsum("be,bey->by", weights, experts),
            JOINT: joint,
            "weights": weights,
            EXPECTED_COST: weights @ costs,
        }

    def losses(self) -> tuple[Any, ...]:
        return (
            CrossEntropy(),
            StreamCrossEntropy(),
            JointCrossEntropy(),
            ExpectedCost(weight=self.cost_weight),
        )
