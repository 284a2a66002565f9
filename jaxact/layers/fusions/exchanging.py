"""Streams that scale one another's channels between their networks' stages.

Alphabet: b batch, s streams, c channels of a map, y classes. "..." are a map's axes of
time and space, or of tokens; streams may have unlike maps.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import flax.linen as nn
import jax

from jaxact.layers import cross_modal
from jaxact.layers.fusions import mean_of_present
from jaxact.layers.fusions.confident import StreamCrossEntropy
from jaxact.losses import CrossEntropy


class Exchanging(nn.Module):
    """What these share: units between the networks, and the average of the scores.

    A missing stream's maps are 0 for the units, and its scores are left out of the
    average: one stream alone gives its own scores, its channels scaled as beside a
    silent stream, to which it must have been trained with streams left out.

    Attributes:
      stages: after which stages a unit stands, counted back from the last one, 1.
      branch_weight: of the cross-entropies of the streams' own scores in the loss.
    """

    stages: tuple[int, ...] = (1, 2)
    branch_weight: float = 0.5
    of_scores: ClassVar[bool] = True

    def setup(self) -> None:
        for stage in self.stages:
            setattr(self, f"unit_{stage}", self.unit())

    def unit(self) -> nn.Module:
        """Returns the module after one stage."""
        raise NotImplementedError

    def scaled(
        self, unit: Any, maps: Sequence[jax.Array], train: bool
    ) -> tuple[jax.Array, ...]:
        """Returns the maps as the unit scales them."""
        return unit(*maps, train=train)

    def between(
        self, stage: int, maps: Sequence[jax.Array], *, train: bool
    ) -> tuple[jax.Array, ...]:
        """Returns the maps ``[b ... c]`` with scaled channels; see `Fusion`."""
        return self.scaled(getattr(self, f"unit_{stage}"), maps, train)

    def __call__(
        self,
        streams: Mapping[str, jax.Array],
        present: jax.Array | None = None,
        *,
        train: bool = False,
    ) -> dict[str, Any]:
        """Returns ``logits [b y]``."""
        return {"logits": mean_of_present(streams["logits"], present)}

    def losses(self) -> tuple[Any, ...]:
        own = StreamCrossEntropy(weight=self.branch_weight)
        return (CrossEntropy(), own) if self.branch_weight else (CrossEntropy(),)


class MMTM(Exchanging):
    """Multimodal transfer modules between the streams, see `cross_modal.MMTM`.

    Their gates start at 1, so that at first the networks are what they are alone.

    Attributes:
      ratio: see `cross_modal.MMTM`.
    """

    ratio: int = 4

    def unit(self) -> nn.Module:
        return cross_modal.MMTM(self.ratio, open_at_first=True)

    def scaled(
        self, unit: Any, maps: Sequence[jax.Array], train: bool
    ) -> tuple[jax.Array, ...]:
        return unit(*maps)


class DSFM(Exchanging):
    """Split attention over the channels of all streams, see `cross_modal.DSFM`.

    At first all blocks weigh alike: every map is scaled by the same number.

    Attributes:
      block, balance, standardised, masked: see `cross_modal.DSFM`.
    """

    block: int = 64
    balance: float = 0.5
    standardised: bool = False
    masked: bool = False

    def unit(self) -> nn.Module:
        return cross_modal.DSFM(
            self.block,
            balance=self.balance,
            standardised=self.standardised,
            masked=self.masked,
        )
