"""HCN: co-occurrence features of skeletons (Li et al., IJCAI 2018), in CC-DFARM's form.

Alphabet: b batch, m persons, n of them in all, t frames, v joints, c channels. After
the transition the joints are the channels: a convolution sees all of them at once.
"""

import dataclasses
from collections.abc import Callable
from typing import ClassVar

import einops
import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxact.backbones.protocol import BackboneConfig, Run, Staged
from jaxact.layers.skeleton_motion import positions_and_motion
from jaxact.strict import ConfigError

# Frames and width of fc7: of the official code, and of the fusion model.
VARIANTS: dict[str, dict[str, int]] = {
    "official": dict(frames=64, fc7=256),
    "fusion": dict(frames=32, fc7=512),
}
STREAMS = ("position", "motion")
LEAST_FRAMES = 16  # four poolings

# What a model puts between the streams' maps [n t w c] after the transition.
Interaction = Callable[[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]


def pool(x: jax.Array) -> jax.Array:
    """Maximum over 2 x 2 of ``[n t w c]``; an odd last row or column is dropped.

    Not a windowed maximum, whose gradient is slow on CPU.
    """
    t, w = (size // 2 * 2 for size in x.shape[1:3])
    return einops.reduce(x[:, :t, :w], "n (t p) (w q) c -> n t w c", "max", p=2, q=2)


class HCN(Staged):
    """The network up to fc7, in two stages.

    The first ends with every person's conv5, the second with fc7, through the maximum
    over persons. Both treat all persons alike, but for the origin of the coordinates,
    which is the first person's.

    Attributes:
      fc7: width of the feature.
      origin: joints whose mean is the origin, see `positions_and_motion`.
      interaction: see `Interaction`.
      dropout: of whole channels after conv4, conv5, conv6, and of fc7.
    """

    fc7: int = 512
    origin: tuple[int, ...] = (1,)
    interaction: Interaction | None = None
    dropout: float = 0.5
    dtype: DTypeLike = jnp.float32

    def setup(self) -> None:
        def conv(features: int, *size: int) -> nn.Conv:
            padding = tuple((k // 2, k // 2) for k in size)
            return nn.Conv(features, size, padding=padding, dtype=self.dtype)

        for stream in STREAMS:  # each has weights of its own
            setattr(self, f"{stream}_conv1", conv(64, 1, 1))
            setattr(self, f"{stream}_conv2", conv(32, 3, 1))
            setattr(self, f"{stream}_conv3", conv(32, 3, 3))
            setattr(self, f"{stream}_conv4", conv(64, 3, 3))
        self.conv5, self.conv6 = conv(128, 3, 3), conv(256, 3, 3)
        self.feature = nn.Dense(self.fc7, dtype=self.dtype)
        self.drop = nn.Dropout(self.dropout)
        self.drop_channels = nn.Dropout(self.dropout, broadcast_dims=(1, 2))

    @property
    def stage_count(self) -> int:
        return 2

    def run(self, *skeletons: jax.Array, train: bool = False) -> Run:
        """Runs one skeleton stream ``[b m t v 3]``; see `Backbone`.

        As in the official code conv2, conv3 and conv4 have no ReLU.

        Returns:
          ``positions`` and ``motion``, the streams within, ``[b m t v 3]``; ``conv5``
          ``[b m t/8 4 128]``; ``fc7`` ``[b d]``, which is also ``token``; no
          ``patches``, ``[b 0 d]``: the network ends in a vector.
        """
        (skeleton,) = skeletons
        if skeleton.ndim != 5 or skeleton.shape[2] < LEAST_FRAMES:
            raise ValueError(
                f"Got skeletons of shape {skeleton.shape}; expected [b m t v 3] with "
                f"{LEAST_FRAMES} frames or more."
            )
        persons = skeleton.shape[1]
        positions, motion = positions_and_motion(skeleton, self.origin)
        maps = []
        for stream, x in zip(STREAMS, (positions, motion), strict=True):
            x = einops.rearrange(x, "b m t v c -> (b m) t v c").astype(self.dtype)
            x = nn.relu(getattr(self, f"{stream}_conv1")(x))
            x = getattr(self, f"{stream}_conv2")(x)
            maps.append(einops.rearrange(x, "n t v c -> n t c v"))  # the transition
        if self.interaction is not None:
            maps = list(self.interaction(*maps))
        ends = []
        for stream, x in zip(STREAMS, maps, strict=True):
            x = pool(getattr(self, f"{stream}_conv3")(x))
            x = getattr(self, f"{stream}_conv4")(x)
            ends.append(pool(self.drop_channels(x, deterministic=not train)))
        x = nn.relu(self.conv5(jnp.concatenate(ends, axis=-1)))
        x = pool(self.drop_channels(x, deterministic=not train))
        conv5 = yield einops.rearrange(x, "(b m) t w c -> b m t w c", m=persons)
        x = nn.relu(self.conv6(einops.rearrange(conv5, "b m t w c -> (b m) t w c")))
        x = pool(self.drop_channels(x, deterministic=not train))
        x = einops.reduce(x, "(b m) t w c -> b (t w c)", "max", m=persons)
        fc7 = yield self.drop(nn.relu(self.feature(x)), deterministic=not train)
        return {
            "token": fc7,
            "positions": positions,
            "motion": motion,
            "conv5": conv5,
            "fc7": fc7,
            "patches": fc7[:, None][:, :0],
        }


@dataclasses.dataclass
class HCNConfig(BackboneConfig):
    """HCN's fields, and those of the skeletons that it sees; CC-DFARM's defaults."""

    mean: ClassVar[tuple[float, ...]] = ()  # metres stay as they are
    std: ClassVar[tuple[float, ...]] = ()
    frames: int = 32  # the official HCN's other choice is 64
    persons: int = 2
    joints: int = 25
    origin: tuple[int, ...] = (1,)  # joints whose mean is the origin, from 0
    fc7: int = 512
    dropout: float = 0.5

    def input(self) -> jax.ShapeDtypeStruct:
        """Returns one clip's skeletons ``[m t v 3]``."""
        shape = (self.persons, self.frames, self.joints, 3)
        return jax.ShapeDtypeStruct(shape, jnp.float32)

    def build(self, dtype: DTypeLike) -> HCN:
        if not (self.origin and all(0 <= joint < self.joints for joint in self.origin)):
            raise ConfigError(
                f"Got origin={self.origin} for HCN; expected one or more of the "
                f"{self.joints} joints (joints), counted from 0."
            )
        if self.frames < LEAST_FRAMES:
            raise ConfigError(
                f"Got {self.frames} frames of skeletons; HCN pools four times and "
                f"needs {LEAST_FRAMES} or more."
            )
        return HCN(self.fc7, self.origin, None, self.dropout, dtype)
