"""DAM: a residual network on video with directed attention (Li et al. 2024).

Blocks of `jaxact.layers.nonlocal_blocks` stand before units of a C2D (or C3D) by the
config: the ablations of Tables 3 and 4 and of figure 5, and DAM x 1, 3, 6, 9, 12.
"""

import dataclasses
import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxact.backbones.resnet import C2D_TIME_STRIDES, VARIANTS, FrozenNorm, ResNet
from jaxact.batch import IMAGENET_MEAN, IMAGENET_STD
from jaxact.config import ConfigError, ModelConfig
from jaxact.layers import nonlocal_blocks
from jaxact.layers.class_activation import class_activation_maps
from jaxact.layers.head import Head
from jaxact.losses import CrossEntropy
from jaxact.models.streams import normalized

# Kinds of blocks a layout may name. Those of one relation look at all positions; with
# "_time" or "_space" behind the name, along one axis.
RELATIONS: dict[str, tuple[Any, dict[str, Any]]] = {
    "nl": (nonlocal_blocks.NonLocal, {}),
    "poly": (nonlocal_blocks.PolyNonLocal, {}),
    "da_nl": (nonlocal_blocks.DirectedNonLocal, {"variant": 1}),
    "da_nl_2": (nonlocal_blocks.DirectedNonLocal, {"variant": 2}),
    # Eq. 8 as printed: a scale for each pair of positions; of one size of input alone.
    "da_nl_2_matrix": (
        nonlocal_blocks.DirectedNonLocal,
        {"variant": 2, "matrix_scale": True},
    ),
}
KINDS: dict[str, tuple[Any, dict[str, Any]]] = {
    **RELATIONS,
    **{
        f"{name}_{axis}": (block, fields | {"axis": axis})
        for name, (block, fields) in RELATIONS.items()
        for axis in ("time", "space")
    },
    "da_da": (nonlocal_blocks.DADA, {}),
    "da_poly": (nonlocal_blocks.DAPoly, {}),
    "da_dp": (nonlocal_blocks.DADP, {}),
    "poly_da": (nonlocal_blocks.PolyDA, {}),
    "dp_da": (nonlocal_blocks.DPDA, {}),
}

# (stage, unit, kind): a block of this kind before this unit, all counted from 1.
Layout = tuple[tuple[int, int, str], ...]

# DAM x k: blocks in Res1, Res2 and Res3. The totals of figure 6 and Table 6 allow no
# other numbers: x12 is 24.18 + 3(.65) + 3(2.05) + 6(1.35) = 40.38 million parameters.
DAM_KINDS = ("da_poly", "da_da", "da_nl")
DAM_COUNTS = {1: (0, 0, 1), 3: (1, 1, 1), 6: (2, 2, 2), 9: (3, 3, 3), 12: (3, 3, 6)}


def spaced(stage: int, count: int, units: int, kind: str) -> Layout:
    """Returns ``count`` blocks on a stage's own channels, before its last units.

    Its first unit still reads the channels of the stage before, so that no block stands
    before it, unless the stage has no other. There is a unit between two blocks where
    there is room (figure 5: blocks without convolutions between them gain less); where
    there are fewer units than blocks, the last units take another one.
    """
    places = range(min(2, units), units + 1)
    step = min(2, (len(places) - 1) // (count - 1)) if count > 1 else 1
    chosen = [places[-1 - i * max(step, 1) % len(places)] for i in range(count)]
    return tuple((stage, unit, kind) for unit in sorted(chosen))


def dam_layout(number: int, blocks: tuple[int, ...] = VARIANTS["resnet50"]) -> Layout:
    """Returns the layout of DAM x ``number`` in a network of these units a stage."""
    if number not in DAM_COUNTS:
        raise ConfigError(f"Got DAM x {number}; expected one of {sorted(DAM_COUNTS)}.")
    layout: Layout = ()
    for stage, count in enumerate(DAM_COUNTS[number], 1):
        if count:
            kind = DAM_KINDS[stage - 1]
            layout += spaced(stage, count, blocks[stage - 1], kind)
    return layout


@dataclasses.dataclass
class DAMConfig(ModelConfig):
    """A ResNet on colour video with blocks; the defaults are DAM x 12."""

    frames: int = 32
    image_size: int = 224
    # The trunk: units of each stage (see `resnet.VARIANTS`), width of the first one.
    blocks: tuple[int, ...] = VARIANTS["resnet50"]
    width: int = 64
    time_strides: tuple[int, ...] = C2D_TIME_STRIDES  # of conv1, pool1 and pool2
    inflated: bool = False  # C3D_{3x1x1} in place of C2D
    frozen_norm: FrozenNorm = "none"  # of the trunk, neither learning nor adapting
    remat: bool = False  # recompute activations in the backward pass
    # The blocks: (stage, unit, kind), see `KINDS`; () is the plain trunk.
    layout: Layout = dam_layout(12)
    key_width: int = 0  # of queries and keys; 0: an eighth of the channels
    value_width: int = 0  # 0: half the channels
    poly_reduction: int = 1  # of Poly-NL: 1 is eq. 19, 4 has the paper's size
    position: nonlocal_blocks.Position = "none"  # of a frame, told to the blocks
    order: nonlocal_blocks.Order = "auto"  # of directed attention's products
    dropout: float = 0.5  # before the classifier

    def inputs(self) -> dict[str, jax.ShapeDtypeStruct]:
        shape = (self.frames, self.image_size, self.image_size, 3)
        return {"rgb": jax.ShapeDtypeStruct(shape, jnp.uint8)}

    def build(self) -> "DAM":
        for entry in self.layout:
            stage, unit, kind = entry
            if kind not in KINDS:
                raise ValueError(
                    f"Got a block of kind {kind!r}; expected one of {tuple(KINDS)}."
                )
            fits = 1 <= stage <= len(self.blocks)
            if not fits or not 1 <= unit <= self.blocks[stage - 1]:
                raise ValueError(
                    f"Got the block {entry}; the trunk's stages have {self.blocks} "
                    "units, and both are counted from 1."
                )
        first, second, third = self.time_strides
        trunk = ResNet(
            blocks=self.blocks,
            width=self.width,
            time_strides=(first, second, third),
            inflated=self.inflated,
            frozen_norm=self.frozen_norm,
            remat=self.remat,
            dtype=jnp.dtype(self.dtype),
        )
        return DAM(
            num_classes=self.num_classes,
            trunk=trunk,
            blocks=tuple(
                (stage, unit, self._block(kind)) for stage, unit, kind in self.layout
            ),
            dropout=self.dropout,
        )

    def _block(self, kind: str) -> nn.Module:
        block, fields = KINDS[kind]
        if block not in (nonlocal_blocks.NonLocal, nonlocal_blocks.PolyNonLocal):
            fields = fields | {"order": self.order}
        return block(
            key_width=self.key_width,
            value_width=self.value_width,
            poly_reduction=self.poly_reduction,
            position=self.position,
            dtype=jnp.dtype(self.dtype),
            **fields,
        )

    def losses(self) -> tuple[Any, ...]:
        return (CrossEntropy(),)

    def stage_frames(self) -> tuple[int, ...]:
        """Returns how many frames each stage's maps have."""
        first, second, third = self.time_strides
        start = math.ceil(math.ceil(self.frames / first) / second)
        return (start, *[math.ceil(start / third)] * (len(self.blocks) - 1))

    def notes(self, experiment: Any) -> list[str]:
        notes = []
        if (first := self.time_strides[0]) > 1:
            read = math.ceil(self.frames / first)
            notes.append(
                f"the first convolution reads {read} of the {self.frames} frames that "
                f"are decoded: its stride in time is {first} (model.time_strides)."
            )
        left = self.stage_frames()
        still = [stage for stage, _, _ in self.layout if left[stage - 1] == 1]
        if still and self.frames > 1:
            notes.append(
                f"{len(still)} of {len(self.layout)} blocks stand where 1 of "
                f"{self.frames} frames is left, and relate no frames. Smaller strides "
                "leave more, at more cost, as --config.model.time_strides='(1, 1, 2)'."
            )
        return notes


class DAM(nn.Module):
    """The model; `DAMConfig` explains its fields."""

    num_classes: int
    trunk: ResNet
    blocks: tuple[tuple[int, int, nn.Module], ...]  # each before this stage's unit
    dropout: float

    @nn.compact
    def __call__(
        self, batch: dict[str, jax.Array], *, train: bool = False
    ) -> dict[str, jax.Array]:
        """Returns ``logits [b y]``, ``features [b t h w c]``, the last map, and
        ``activation [b t h w]``, the class activation map of the predicted class.

        The logits are the head of the map's mean, so the activation's mean is the
        predicted class's logit, but for the bias.
        """
        blocks: dict[tuple[int, int], list[nn.Module]] = {}
        for stage, unit, block in self.blocks:
            here = blocks.setdefault((stage, unit), [])
            name = f"block{stage}_{unit}" + (f"_{len(here)}" if here else "")
            here.append(block.clone(name=name, parent=self))

        def before_unit(stage: int, unit: int, x: jax.Array) -> jax.Array:
            for block in blocks.get((stage, unit), []):
                x = block(x, train=train)
            return x

        backbone = self.trunk.clone(
            before_unit=before_unit, name="backbone", parent=self
        )
        video = normalized(
            batch, "rgb", ("rgb",), IMAGENET_MEAN, IMAGENET_STD, self.trunk.dtype
        )
        out = backbone(video, train=train)
        features = out["features"]
        head = Head(self.num_classes, self.dropout, name="head")
        logits = head(out["token"], train=train)
        activation = class_activation_maps(
            features, head.variables["params"]["fc"]["kernel"], logits.argmax(axis=-1)
        )
        return {"logits": logits, "features": features, "activation": activation}
