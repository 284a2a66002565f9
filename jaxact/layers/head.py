"""The head of a model."""

import flax.linen as nn
import jax
import jax.numpy as jnp


class Head(nn.Module):
    """The classifier: ``[b d]`` to logits ``[b y]`` in float32."""

    num_classes: int
    dropout: float = 0.0

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        x = nn.Dropout(self.dropout)(x, deterministic=not train)
        return nn.Dense(self.num_classes, dtype=jnp.float32, name="fc")(x)
