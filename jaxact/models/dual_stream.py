"""TimeSformer branches under a plain fusion: the baselines of STAFusion.

Table 1's baseline adds both streams' features under one classifier; Table 2 compares
single streams, averaging and concatenation.
"""

import dataclasses
from typing import Any

import flax.linen as nn
import jax

from jaxact.losses import CrossEntropy
from jaxact.models.streams import Branches, Head, TimeSformerStreamsConfig

FUSIONS = ("add", "concat", "average")


@dataclasses.dataclass
class DualStreamConfig(TimeSformerStreamsConfig):
    """The baselines: ``streams`` of one entry gives the single-modality rows."""

    fusion: str = "add"  # "add" | "concat" features, or "average" of streams' logits
    head_dropout: float = 0.0

    def build(self) -> "DualStream":
        if self.fusion not in FUSIONS:
            raise ValueError(f"Got fusion {self.fusion!r}; expected one of {FUSIONS}.")
        return DualStream(
            self.num_classes, self.branches(), self.fusion, self.head_dropout
        )

    def losses(self) -> tuple[Any, ...]:
        return (CrossEntropy(),)


class DualStream(nn.Module):
    """Any number of streams, fused by adding, concatenating or averaging.

    "add" and "concat" fuse the class tokens before one classifier; "average" gives
    every stream a classifier and averages their logits.
    """

    num_classes: int
    branches: Any  # fields of `Branches`
    fusion: str = "add"
    head_dropout: float = 0.0

    @nn.compact
    def __call__(
        self, batch: dict[str, jax.Array], *, train: bool = False
    ) -> dict[str, jax.Array]:
        """Returns ``logits [b y]``; with "average" also ``stream_logits [b s y]``."""
        features = Branches(**self.branches, name="branches")(batch, train=train)
        tokens = features["tokens"]
        if self.fusion == "average":
            heads = [
                Head(self.num_classes, self.head_dropout, name=f"head_{stream}")
                for stream in self.branches["streams"]
            ]
            logits = jax.numpy.stack(
                [
                    head(tokens[:, index], train=train)
                    for index, head in enumerate(heads)
                ],
                axis=1,
            )
            return {"logits": logits.mean(axis=1), "stream_logits": logits}
        if self.fusion == "concat":
            joint = tokens.reshape(tokens.shape[0], -1)
        else:
            joint = tokens.sum(axis=1)
        head = Head(self.num_classes, self.head_dropout, name="head")
        return {"logits": head(joint, train=train)}
