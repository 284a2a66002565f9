"""Readings of STAFusion that contradict themselves."""

from typing import TYPE_CHECKING

from jaxact.config import TrainConfig
from jaxact.errors import UserError

if TYPE_CHECKING:
    from jaxact.models.stafusion import STAFusionConfig


def check(config: "STAFusionConfig") -> None:
    """Refuses fields that leave nothing to learn from, or nothing to answer with.

    Raises:
      ValueError: they do, with what to set.
    """
    if config.class_token == "learned" and not (config.fusion or config.selection):
        raise ValueError(
            "Got class_token='learned' without fusion and selection: the student "
            "would see no clip. Turn one of them on, or choose class_token='sum'."
        )
    if config.estimator in ("perturbed", "gathered", "score_function"):
        if not config.sigma:
            raise ValueError(
                f"Got sigma=0 with estimator={config.estimator!r}, which needs "
                "noise; give more than 0."
            )
    if config.ranking_weight and not (
        config.selection and config.frames_from == "scores"
    ):
        raise ValueError(
            f"Got ranking_weight={config.ranking_weight} with selection="
            f"{config.selection} and frames_from={config.frames_from!r}: there is no "
            "scorer to learn by it. Set ranking_weight=0, or frames_from='scores'."
        )
    by_stream = config.selection and config.compete == "stream"
    own = config.student_gradient and config.estimator != "gathered"
    if config.look == "again" and not (by_stream and own):
        raise ValueError(
            f"Got look='again' with selection={config.selection}, compete="
            f"{config.compete!r}, estimator={config.estimator!r}, student_gradient="
            f"{config.student_gradient}: it is a run of its own, over as many frames "
            "of every stream. Set selection=True, compete='stream', "
            "student_gradient=True and another estimator than 'gathered'."
        )
    if not config.student_gradient and not (
        config.distillation and config.teacher_weight
    ):
        raise ValueError(
            "Got student_gradient=False without a teacher that learns "
            f"(distillation={config.distillation}, teacher_weight="
            f"{config.teacher_weight}): nothing would train the backbone."
        )
    if not 0 <= config.distill_lambda <= 1:
        raise ValueError(
            f"Got distill_lambda={config.distill_lambda}; expected 0 to 1: the other "
            "loss of Eq. 20 has the weight 1 - distill_lambda."
        )
    if config.answer == "both" and not config.distillation:
        raise ValueError(
            "Got answer='both' with distillation=False: there is no teacher that could "
            "answer, too. Set answer='student', or distillation=True."
        )


def check_training(config: "STAFusionConfig", train: TrainConfig) -> None:
    """Refuses a teacher that answers and would never have learnt to.

    Raises:
      UserError: its head starts at random and has no loss.
    """
    taught = config.teacher_weight or train.init_from
    if config.answer == "both" and not taught:
        raise UserError(
            "model.answer is 'both', but the teacher's head starts at random and has "
            "no loss (model.teacher_weight=0): half of every answer would be noise. "
            "Set --config.model.answer=student, --config.model.teacher_weight=1, or "
            "start from a finished baseline, :teacher=RUN."
        )
