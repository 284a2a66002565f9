"""Loss terms: frozen dataclasses from a model's out dict to one number an example.

A term has a ``name``, a ``weight`` and ``__call__(out, batch) -> [b]`` float32. The
train step takes the mean over real examples and adds ``weight * mean``. A term names
the entries of ``out`` it reads, so that one step serves every model family.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

import jax
import jax.numpy as jnp

from jaxact.layers import distillation

Out = Mapping[str, Any]
Batch = Mapping[str, Any]


class Loss(Protocol):
    """What the train step asks of a loss term."""

    @property
    def name(self) -> str: ...

    @property
    def weight(self) -> float: ...

    def __call__(self, out: Out, batch: Batch) -> jax.Array: ...


@dataclasses.dataclass(frozen=True)
class CrossEntropy:
    """Cross-entropy of ``out[logits]`` [b y] with ``batch["label"]`` [b].

    With smoothing e the target is 1 - e + e/y on the label and e/y elsewhere.
    """

    name: str = "cross_entropy"
    weight: float = 1.0
    logits: str = "logits"
    smoothing: float = 0.0

    def __call__(self, out: Out, batch: Batch) -> jax.Array:
        log_p = jax.nn.log_softmax(out[self.logits].astype(jnp.float32))
        label = batch["label"][:, None]
        on_label = -jnp.take_along_axis(log_p, label, axis=-1)[:, 0]
        uniform = -log_p.mean(axis=-1)
        return (1 - self.smoothing) * on_label + self.smoothing * uniform


@dataclasses.dataclass(frozen=True)
class RegionDistillation:
    """Squared difference of teacher's and student's patches over the kept tokens.

    STAFusion eq. 18; `jaxact.layers.distillation.region_distillation` -> [b].
    """

    name: str = "region_distillation"
    weight: float = 0.1
    teacher: str = "teacher_patches"
    student: str = "student_patches"
    keep: str = "keep"

    def __call__(self, out: Out, batch: Batch) -> jax.Array:
        del batch
        return distillation.region_distillation(
            out[self.teacher], out[self.student], out[self.keep]
        )


@dataclasses.dataclass(frozen=True)
class PredictionDistillation:
    """KL divergence of the student's prediction from the teacher's.

    STAFusion eq. 19; `jaxact.layers.distillation.prediction_distillation` -> [b].
    """

    name: str = "prediction_distillation"
    weight: float = 0.9
    teacher: str = "teacher_logits"
    student: str = "logits"

    def __call__(self, out: Out, batch: Batch) -> jax.Array:
        del batch
        return distillation.prediction_distillation(
            out[self.teacher], out[self.student]
        )
