"""A model small enough to train in a test, with everything the steps have to carry."""

import dataclasses
import itertools
import types
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from input_pipeline.config import DataConfig
from jaxact import config, losses
from jaxact.devices import distributed
from jaxact.devices.distributed import make_mesh  # this one, whatever a test puts there

FRAMES, SIZE, CLASSES = 2, 4, 3


class TinyModule(nn.Module):
    """Mean colour of a clip -> batch norm -> dropout -> class."""

    num_classes: int
    width: int = 5
    dropout: float = 0.0
    norm: bool = False

    @nn.compact
    def __call__(self, batch: Any, *, train: bool) -> dict:
        video = batch["rgb"].astype(jnp.float32) / 255.0
        x = nn.Dense(self.width, name="backbone")(video.mean(axis=(2, 3)))
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
            "progress": jnp.full(rows, batch.get("progress", 1.0), jnp.float32),
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


def mesh_of(devices: int, fsdp: int = 1) -> Mesh:
    """Returns a mesh of the first so many devices."""
    return make_mesh(fsdp, jax.devices()[:devices])


def put(arrays: dict[str, np.ndarray], mesh: Mesh) -> dict[str, jax.Array]:
    """Puts a batch onto a mesh."""
    return distributed.put_batch(arrays, mesh)


class TinyData:
    """Stands for `input_pipeline.pipeline`: the same functions, batches from memory.

    Args:
      train, test: numbers of clips.
      classes: of the data set.
      on_batch: called with the number of every training batch before it is handed out.
    """

    def __init__(self, train=20, test=10, classes=CLASSES, on_batch=None):
        self.sizes = {"train": train, "test": test, "val": 0}
        self.classes = tuple(f"class {index}" for index in range(classes))
        self.on_batch = on_batch
        self.class_counts = (1,) * classes

    def dataset_facts(self, data: Any) -> types.SimpleNamespace:
        names = [f"clip {index}" for index in range(sum(self.sizes.values()))]
        return types.SimpleNamespace(
            name="tiny",
            version="1.0.0",
            protocol="xview",
            title="tiny 1.0.0",
            digest="of tiny",
            classes=self.classes,
            num_clips=self.sizes,
            names=np.array(names),
            difficulties=("dark",),
            bones=(),
            class_counts=self.class_counts,
            folds=0,
            doubts=(),
            values={"ir": "fixed:20:40"},
        )

    def train_batches(self, data, inputs, batch_size, seed, start_step, host, hosts):
        for number in itertools.count(start_step):
            if self.on_batch is not None:
                self.on_batch(number)
            yield _rows_of(batch(number, batch_size), host, hosts)

    def eval_batches(self, data, inputs, split, batch_size, host, hosts):
        whole = batch(1000, self.sizes[split])
        random = np.random.default_rng(5)
        corners = np.sort(random.random((self.sizes[split], FRAMES, 2, 2)), axis=2)
        whole |= {
            "id": np.arange(self.sizes[split]) + self.sizes["train"],
            "actor_visible": random.random((self.sizes[split], FRAMES)) < 0.7,
            "actor_box": corners.reshape(-1, FRAMES, 4).astype(np.float32),
            "difficulty": random.integers(0, 2, self.sizes[split]).astype(np.int32),
        }
        for start in range(0, self.sizes[split], batch_size):
            part = {k: v[start : start + batch_size] for k, v in whole.items()}
            missing = batch_size - len(part["label"])
            whole_batch = {k: np.pad(v, _behind(v, missing)) for k, v in part.items()}
            yield _rows_of(whole_batch, host, hosts)


class FoldedData(TinyData):
    """Thirty clips in three folds of ten."""

    def dataset_facts(self, data):
        facts = super().dataset_facts(data)
        facts.folds = 3
        facts.protocol = f"xview, fold {data.fold} of 3 by {data.folds}"
        return facts

    def eval_batches(self, data, *rest, **part):
        for batch in super().eval_batches(data, *rest, **part):
            yield batch | {"id": batch["id"] - 20 + 10 * (data.fold - 1)}


def _rows_of(arrays, host, hosts):
    """Returns the part of a global batch that is this host's."""
    size = len(arrays["label"]) // hosts
    return {k: v[host * size : (host + 1) * size] for k, v in arrays.items()}


def _behind(array, count):
    return [(0, count)] + [(0, 0)] * (array.ndim - 1)


def experiment(**changes: Any) -> config.Experiment:
    """Returns a tiny experiment with ``{"train.epochs": 2}``-like changes applied."""
    result = config.Experiment(
        name="tiny",
        model=TinyConfig(),
        data=DataConfig(name="tiny"),
        optim=config.OptimConfig(lr=0.1),
        schedule=config.ScheduleConfig(kind="constant"),
        train=config.TrainConfig(batch_size=8, epochs=2.4, log_every=2),
        eval=config.EvalConfig(batch_size=3),
    )
    for key, value in changes.items():
        config.set_value(result, key, value)
    return result
