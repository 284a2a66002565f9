"""A model small enough to train in a test, with everything the steps have to carry."""

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxact import config, losses

FRAMES, SIZE, CLASSES = 2, 4, 3


class TinyModule(nn.Module):
    """Mean colour of a clip -> batch norm -> dropout -> class."""

    num_classes: int
    width: int = 5
    dropout: float = 0.0
    norm: bool = False

    @nn.compact
    def __call__(self, batch: Any, *, train: bool, progress: Any = 1.0) -> dict:
        video = batch["rgb"].astype(jnp.float32) / 255.0
        x = nn.Dense(self.width, name="hidden")(video.mean(axis=(2, 3)))
        if self.norm:
            x = nn.BatchNorm(use_running_average=not train, name="norm")(x)
        x = nn.Dropout(self.dropout, deterministic=not train)(nn.tanh(x))
        logits = nn.Dense(self.num_classes, name="head")(x.mean(axis=1))
        # Frame 0 is always marked, and of its four patches the first two are kept.
        rows, frames = video.shape[:2]
        frame_marks = jnp.zeros((rows, frames), jnp.int32).at[:, 0].set(2)
        patch = jnp.arange(4) < 2
        keep = (frame_marks > 0)[..., None] & patch[None, None, :]
        return {
            "logits": logits,
            "frame_marks": frame_marks,
            "keep": keep,
            "progress": jnp.broadcast_to(jnp.asarray(progress, jnp.float32), (rows,)),
        }


@dataclasses.dataclass
class TinyConfig(config.ModelConfig):
    """The tiny model."""

    num_classes: int = CLASSES
    dtype: str = "float32"
    width: int = 5
    dropout: float = 0.0
    norm: bool = False

    def build(self) -> nn.Module:
        return TinyModule(self.num_classes, self.width, self.dropout, self.norm)

    def inputs(self) -> dict[str, jax.ShapeDtypeStruct]:
        return {"rgb": jax.ShapeDtypeStruct((FRAMES, SIZE, SIZE, 3), np.uint8)}

    def losses(self) -> tuple[Any, ...]:
        return (losses.CrossEntropy(),)


def batch(number: int, size: int, masked: int = 0) -> dict[str, np.ndarray]:
    """Returns batch ``number``, a pure function of its arguments.

    The class is the colour channel that is bright, so that there is something to
    learn; the last ``masked`` rows are padding.
    """
    random = np.random.default_rng((number, size))
    label = random.integers(0, CLASSES, size).astype(np.int32)
    video = random.integers(0, 100, (size, FRAMES, SIZE, SIZE, 3)).astype(np.uint8)
    video[np.arange(size), ..., label] += 100
    return {
        "rgb": video,
        "label": label,
        "mask": np.arange(size) < size - masked,
        "id": np.arange(size, dtype=np.int64) + number * size,
    }
