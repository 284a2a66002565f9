"""SlowFast networks: few frames in many channels, many in few (Feichtenhofer 2019).

Alphabet: b batch, t frames, h w c a feature map.
"""

import dataclasses
from collections.abc import Sequence
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
    STAGE_STRIDES,
    VARIANTS,
    Bottleneck,
    Convolution,
)
from jaxact.layers.batch_norm import BatchNorm
from jaxact.layers.conv3d import max_pool3d

FRAMES_OF_CONV1 = {"slow": 1, "fast": 5}
# Taps along time of the units' first convolutions, by stage.
TAPS = {"slow": (1, 1, 3, 3), "fast": (3, 3, 3, 3)}


class SlowFast(Staged):
    """The backbone on normalised video; the defaults are R50 8x8 as mmaction2 has it.

    The fast path sees every frame, the slow path every ``alpha``-th. After pooling and
    after the first three stages the fast path's features, convolved with a stride of
    ``alpha`` along time, are put beside the slow path's (time-strided convolution, the
    paper's section 3.3).

    Attributes:
      blocks: units of each stage, see `resnet.VARIANTS`.
      width: channels of the slow path's first stage's bottlenecks.
      alpha: frames of the fast path for one of the slow path.
      channel_ratio: width of the slow path over that of the fast one.
      lateral_taps: of the lateral convolutions, along time.
      lateral_norm: batch norm and ReLU behind them, as PySlowFast has it.
      form: of 3-D convolutions, see `jaxact.layers.conv3d`.
      remat: recompute the units' activations in the backward pass.
    """

    blocks: tuple[int, ...] = VARIANTS["resnet50"]
    width: int = 64
    alpha: int = 4
    channel_ratio: int = 8
    lateral_taps: int = 7
    lateral_norm: bool = False
    form: str = "auto"
    remat: bool = False
    dtype: DTypeLike = jnp.float32

    @property
    def stage_count(self) -> int:
        return len(self.blocks)

    def run(self, *videos: jax.Array, train: bool = False) -> Run:
        """Runs clips ``[b t h w c]``, t a multiple of alpha; see `Backbone`.

        Returns:
          ``token [b d]``, the means of both paths' last maps side by side in float32;
          ``slow`` and ``fast``, these maps ``[b t h w c]``; ``stages``, the slow path's
          map after every stage.
        """
        frames = videos[0].shape[1]
        if frames % self.alpha:
            raise ValueError(
                f"Got clips of {frames} frames; SlowFast with alpha {self.alpha} wants "
                "a multiple of it."
            )
        widths = {"slow": self.width, "fast": self.width // self.channel_ratio}
        clips = {"slow": [v[:, :: self.alpha] for v in videos], "fast": videos}
        paths = {
            path: self._stem(path, width, clips[path], train)
            for path, width in widths.items()
        }
        make_unit = nn.remat(Bottleneck, static_argnums=(2,))
        if not self.remat:
            make_unit = Bottleneck
        stages = []
        for stage, units in enumerate(self.blocks, 1):
            paths["slow"] = self._joined(paths, stage - 1, train)
            for path, width in widths.items():
                for unit in range(1, units + 1):
                    paths[path] = make_unit(
                        width * 2 ** (stage - 1),
                        STAGE_STRIDES[stage - 1] if unit == 1 else 1,
                        TAPS[path][stage - 1],
                        dtype=self.dtype,
                        name=f"{path}_res{stage}_{unit}",
                    )(paths[path], train)
            paths["slow"] = yield paths["slow"]
            stages.append(paths["slow"])
        tokens = [x.mean(axis=(1, 2, 3), dtype=jnp.float32) for x in paths.values()]
        token = jnp.concatenate(tokens, axis=-1)
        return {"token": token, **paths, "stages": tuple(stages)}

    def _stem(
        self, path: str, width: int, clips: Sequence[jax.Array], train: bool
    ) -> jax.Array:
        def stem(channels: int) -> Convolution:
            name = stem_name(f"{path}_conv1", channels, clips[0].shape[-1])
            window = (FRAMES_OF_CONV1[path], 7, 7)
            return Convolution(
                width, window, (1, 2, 2), self.form, self.dtype, name=name
            )

        x = run_stems(clips, stem)
        norm = BatchNorm(dtype=self.dtype, name=f"{path}_norm1")
        x = nn.relu(norm(x, train=train))
        return max_pool3d(x, (1, 3, 3), (1, 2, 2), ((0, 0), (1, 1), (1, 1)))

    def _joined(
        self, paths: dict[str, jax.Array], stage: int, train: bool
    ) -> jax.Array:
        """Returns the slow path's map with the fast path's beside it."""
        fast = paths["fast"]
        window, strides = (self.lateral_taps, 1, 1), (self.alpha, 1, 1)
        name = f"lateral_{stage}"
        lateral = Convolution(
            2 * fast.shape[-1], window, strides, self.form, self.dtype, name=name
        )(fast)
        if self.lateral_norm:
            norm = BatchNorm(dtype=self.dtype, name=f"lateral_norm_{stage}")
            lateral = nn.relu(norm(lateral, train=train))
        return jnp.concatenate([paths["slow"], lateral], axis=-1)


@dataclasses.dataclass
class SlowFastConfig(BackboneConfig):
    """SlowFast R50 8x8; 4x16 has ``alpha=8`` and ``lateral_taps=5``."""

    mean: ClassVar[tuple[float, ...]] = (0.45,)
    std: ClassVar[tuple[float, ...]] = (0.225,)
    blocks: tuple[int, ...] = VARIANTS["resnet50"]
    width: int = 64
    alpha: int = 4
    channel_ratio: int = 8
    lateral_taps: int = 7
    lateral_norm: bool = False
    conv3d: Literal["auto", "native", "taps"] = "auto"
    remat: bool = False

    def build(self, dtype: DTypeLike) -> SlowFast:
        if not 0 < self.channel_ratio <= self.width or self.lateral_taps % 2 == 0:
            raise ValueError(
                f"Got channel_ratio {self.channel_ratio} of width {self.width}, and "
                f"{self.lateral_taps} lateral_taps; expected a ratio from 1 to the "
                "width, and an odd number of taps."
            )
        fields = dataclasses.asdict(self)
        return SlowFast(form=fields.pop("conv3d"), dtype=dtype, **fields)
