"""Channel-separated networks: ip-CSN and ir-CSN (Tran et al., ICCV 2019).

Alphabet: b batch, t frames, h w c a feature map.
"""

import dataclasses
from typing import ClassVar, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxact.backbones.protocol import (
    BackboneConfig,
    Run,
    Staged,
    run_stems,
    stem_name,
)
from jaxact.backbones.resnet import (
    EXPANSION,
    STAGE_STRIDES,
    VARIANTS,
    Convolution,
    FrozenNorm,
    Pointwise,
)
from jaxact.batch import IMAGENET_MEAN, IMAGENET_STD
from jaxact.layers.batch_norm import BatchNorm
from jaxact.layers.conv3d import depthwise_conv3d, max_pool3d

EPSILON = 1e-3  # of all batch norms, unlike other residual networks'


class Depthwise(nn.Module):
    """A 3x3x3 convolution of each channel by itself, kernel ``[3 3 3 c]``, no bias."""

    stride: int = 1
    form: str = "auto"
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        init = nn.initializers.normal((2.0 / 27.0) ** 0.5)  # He: 27 inputs a channel
        kernel = self.param("kernel", init, (3, 3, 3, x.shape[-1])).astype(self.dtype)
        strides, padding = (self.stride,) * 3, ((1, 1),) * 3
        return depthwise_conv3d(
            x.astype(self.dtype), kernel, strides, padding, self.form
        )


class SeparatedBottleneck(nn.Module):
    """1x1x1, depthwise 3x3x3 with the stride along all axes, 1x1x1; residual.

    Attributes:
      preserved: ip-CSN, "interaction-preserved": a further 1x1x1 convolution and norm,
        without ReLU, before the depthwise one.
    """

    width: int
    stride: int = 1
    preserved: bool = True
    frozen: bool = False
    form: str = "auto"
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        def norm(y: jax.Array, name: str) -> jax.Array:
            layer = BatchNorm(self.frozen, dtype=self.dtype, epsilon=EPSILON, name=name)
            return layer(y, train=train)

        y = Pointwise(self.width, self.dtype, name="conv1")(x)
        y = nn.relu(norm(y, "norm1"))
        if self.preserved:
            y = Pointwise(self.width, self.dtype, name="interaction")(y)
            y = norm(y, "interaction_norm")
        y = Depthwise(self.stride, self.form, self.dtype, name="conv2")(y)
        y = nn.relu(norm(y, "norm2"))
        out = EXPANSION * self.width
        y = norm(Pointwise(out, self.dtype, name="conv3")(y), "norm3")
        if x.shape[-1] != out or self.stride > 1:
            step = self.stride
            x = Pointwise(out, self.dtype, name="project")(x[:, ::step, ::step, ::step])
            x = norm(x, "project_norm")
        return nn.relu(x + y)


class CSN(Staged):
    """The backbone on normalised video; the defaults are ip-CSN-152.

    Attributes:
      blocks: units of each stage, see `resnet.VARIANTS`.
      width: of the first stage's bottlenecks; every stage doubles it.
      preserved: ip-CSN; False is ir-CSN, "interaction-reduced".
      frozen_norm: which norms are frozen; the authors fine-tune with "all".
      form: of 3-D convolutions, see `jaxact.layers.conv3d`.
      remat: recompute the units' activations in the backward pass.
    """

    blocks: tuple[int, ...] = VARIANTS["resnet152"]
    width: int = 64
    preserved: bool = True
    frozen_norm: FrozenNorm = "none"
    form: str = "auto"
    remat: bool = False
    dtype: DTypeLike = jnp.float32

    @property
    def stage_count(self) -> int:
        return len(self.blocks)

    def run(self, *videos: jax.Array, train: bool = False) -> Run:
        """Runs clips ``[b t h w c]``; see `Backbone`.

        Returns:
          ``features`` ``[b t h w c]``, t an 8th and h and w a 32nd of the clip's;
          ``token`` ``[b c]``, their mean in float32; ``stages``, every stage's last
          map.
        """

        def stem(channels: int) -> Convolution:
            name = stem_name("conv1", channels, videos[0].shape[-1])
            return Convolution(
                self.width, (3, 7, 7), (1, 2, 2), self.form, self.dtype, name=name
            )

        x = run_stems(videos, stem)
        norm = BatchNorm(
            self.frozen_norm == "all", dtype=self.dtype, epsilon=EPSILON, name="norm1"
        )
        x = nn.relu(norm(x, train=train))
        x = max_pool3d(x, (1, 3, 3), (1, 2, 2), ((0, 0), (1, 1), (1, 1)))
        make_unit = nn.remat(SeparatedBottleneck, static_argnums=(2,))
        if not self.remat:
            make_unit = SeparatedBottleneck
        stages = []
        for stage, units in enumerate(self.blocks, 1):
            for unit in range(1, units + 1):
                x = make_unit(
                    self.width * 2 ** (stage - 1),
                    STAGE_STRIDES[stage - 1] if unit == 1 else 1,
                    self.preserved,
                    self.frozen_norm != "none",
                    self.form,
                    self.dtype,
                    name=f"res{stage}_{unit}",
                )(x, train)
            x = yield x
            stages.append(x)
        token = x.mean(axis=(1, 2, 3), dtype=jnp.float32)
        return {"token": token, "features": x, "stages": tuple(stages)}


@dataclasses.dataclass
class CSNConfig(BackboneConfig):
    """ip-CSN-152, as in STAFusion's Table 1."""

    mean: ClassVar[tuple[float, ...]] = IMAGENET_MEAN
    std: ClassVar[tuple[float, ...]] = IMAGENET_STD
    blocks: tuple[int, ...] = VARIANTS["resnet152"]
    width: int = 64
    preserved: bool = True  # ip-CSN; False: ir-CSN
    frozen_norm: FrozenNorm = "none"
    conv3d: Literal["auto", "native", "taps"] = "auto"
    remat: bool = False

    def build(self, dtype: DTypeLike) -> CSN:
        fields = dataclasses.asdict(self)
        return CSN(form=fields.pop("conv3d"), dtype=dtype, **fields)
