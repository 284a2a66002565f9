"""One class token of those of several streams.

Alphabet: b batch, s streams, d width.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxact.layers.fusions import mean_of_present, only_present
from jaxact.layers.fusions.plain import Add


class JointToken(nn.Module):
    """Makes one class token ``[b d]`` of the streams' ``[b s d]``.

    Attributes:
      kind: "mean" or "sum" (also under any other name, see
        `jaxact.models.stafusion.STAFusionConfig.class_token`) of those that are there,
        or "concat": a linear layer over all.
    """

    kind: str
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, tokens: jax.Array, present: jax.Array | None) -> jax.Array:
        streams, width = tokens.shape[1:]
        if self.kind == "concat":
            joint = only_present(tokens, present).reshape(tokens.shape[0], -1)
            start = nn.linear.default_kernel_init
            kernel = self.param("kernel", start, (streams * width, width))
            bias = self.param("bias", nn.initializers.zeros_init(), (width,))
            joint, kernel, bias = (x.astype(self.dtype) for x in (joint, kernel, bias))
            return joint @ kernel + bias[None]
        if self.kind == "mean":
            mean = mean_of_present(tokens.astype(jnp.float32), present)
            return mean.astype(tokens.dtype)
        return Add(name="add")({"tokens": tokens}, present)["token"]
