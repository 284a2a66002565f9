"""Self-distillation losses (STAFusion, section 3.5, Eq. 18-19). All per example."""

import dataclasses

import jax
import jax.numpy as jnp

from jaxact.batch import Batch
from jaxact.out import Out


def region_distillation(
    teacher: jax.Array, student: jax.Array, keep: jax.Array
) -> jax.Array:
    """Squared difference of features over the kept regions (Eq. 18).

    ``sum_ti keep_ti |p_ti - p'_ti|^2 / (d * sum_ti keep_ti)``: the mean over kept
    regions and channels. No gradient flows into the teacher.

    Args:
      teacher, student: patch features ``[b t n d]``.
      keep: ``[b t n]`` bool.

    Returns:
      ``[b]`` float32; 0 where nothing is kept.
    """
    teacher = jax.lax.stop_gradient(teacher.astype(jnp.float32))
    # Masked before squaring: a dropped region must not spoil the gradient either.
    difference = jnp.where(keep[..., None], student.astype(jnp.float32) - teacher, 0)
    squared = jnp.square(difference).mean(axis=-1)
    kept = jnp.maximum(keep.sum(axis=(-2, -1)), 1)
    return squared.sum(axis=(-2, -1)) / kept


def prediction_distillation(
    teacher_logits: jax.Array, student_logits: jax.Array
) -> jax.Array:
    """``KL(teacher || student)`` of the class distributions, temperature 1 (Eq. 19).

    No gradient flows into the teacher.

    Args:
      teacher_logits, student_logits: ``[b y]``.

    Returns:
      ``[b]`` float32, never negative.
    """
    teacher = jax.nn.log_softmax(
        jax.lax.stop_gradient(teacher_logits).astype(jnp.float32)
    )
    student = jax.nn.log_softmax(student_logits.astype(jnp.float32))
    return (jnp.exp(teacher) * (teacher - student)).sum(axis=-1)


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
        return region_distillation(out[self.teacher], out[self.student], out[self.keep])


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
        return prediction_distillation(out[self.teacher], out[self.student])
