"""TANet: a residual network with temporal adaptive modules (Liu et al., ICCV 2021)."""

import dataclasses
from typing import ClassVar

from jax.typing import DTypeLike

from jaxact.backbones.protocol import BackboneConfig
from jaxact.backbones.resnet import FRAME_WISE, VARIANTS, ResNet
from jaxact.batch import IMAGENET_MEAN, IMAGENET_STD
from jaxact.layers.temporal_adaptive import TAM


@dataclasses.dataclass
class TANetConfig(BackboneConfig):
    """TANet-50; its weights are tied to the number of frames."""

    mean: ClassVar[tuple[float, ...]] = IMAGENET_MEAN
    std: ClassVar[tuple[float, ...]] = IMAGENET_STD
    blocks: tuple[int, ...] = VARIANTS["resnet50"]
    width: int = 64
    remat: bool = False

    def build(self, dtype: DTypeLike) -> ResNet:
        if self.width < TAM.reduction:
            raise ValueError(
                f"Got width {self.width}; expected {TAM.reduction} or more, of which a "
                "temporal adaptive module makes one."
            )
        return ResNet(
            blocks=self.blocks,
            width=self.width,
            time_strides=FRAME_WISE,
            after_first=TAM,
            remat=self.remat,
            dtype=dtype,
        )
