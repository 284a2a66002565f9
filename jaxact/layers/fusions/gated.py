"""Gated fusion of features (the gated multimodal unit, Arevalo et al. 2017).

Alphabet: b batch, s streams, d width.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxact.layers.fusions import check_several, only_present
from jaxact.losses import CrossEntropy


class Gated(nn.Module):
    """``h = z tanh(W_1 f_1) + (1 - z) tanh(W_2 f_2)``, ``z = sigmoid(W [f_1, f_2])``.

    Of more streams the gates are a softmax, channel by channel, whose last logit is 0;
    of two that is the sigmoid. A missing stream's gate is 0, the others' sum to 1: one
    alone is its own ``tanh(W_s f_s)``.
    """

    of_scores: ClassVar[bool] = False

    @nn.compact
    def __call__(
        self,
        streams: Mapping[str, jax.Array],
        present: jax.Array | None = None,
        *,
        train: bool = False,
    ) -> dict[str, Any]:
        """Returns ``token [b d]`` and ``gates [b s d]``, float32."""
        tokens = only_present(streams["tokens"], present).astype(jnp.float32)
        b, s, d = tokens.shape
        check_several(s, "gates between streams")
        hidden = jnp.stack(
            [jnp.tanh(nn.Dense(d, name=f"hidden_{i}")(tokens[:, i])) for i in range(s)],
            axis=1,
        )
        gates = nn.Dense((s - 1) * d, name="gate")(tokens.reshape(b, -1))
        gates = gates.reshape(b, s - 1, d)
        gates = jnp.concatenate([gates, jnp.zeros((b, 1, d))], axis=1)
        if present is not None:
            # Of nothing at all (a row of padding) equal gates, not NaN.
            counted = present | ~present.any(axis=1, keepdims=True)
            gates = jnp.where(counted[..., None], gates, -jnp.inf)
        gates = jax.nn.softmax(gates, axis=1)
        token = (gates * only_present(hidden, present)).sum(axis=1)
        return {"token": token, "gates": gates}

    def losses(self) -> tuple[Any, ...]:
        return (CrossEntropy(),)
