"""Readings of STAFusion that contradict themselves are refused."""

import pytest

from jaxact.config import TrainConfig
from jaxact.errors import UserError
from tests.models.test_second_look import AGAIN
from tests.models.test_stafusion import OFF, small

NO_RUN = "look='again'"


@pytest.mark.parametrize(
    "fields, message",
    [
        (OFF | dict(class_token="learned"), "the student would see no clip"),
        (dict(student_gradient=False, teacher_weight=0.0), "nothing would train"),
        (dict(estimator="gathered", sigma=0.0), "which needs noise"),
        (dict(ranking_weight=1.0, frames_from="truth"), "no scorer to learn by it"),
        (AGAIN | dict(compete="clip"), NO_RUN),
        (AGAIN | dict(selection=False), NO_RUN),
        (AGAIN | dict(estimator="gathered"), NO_RUN),
        (AGAIN | dict(student_gradient=False), NO_RUN),
        (dict(answer="both", distillation=False), "no teacher that could answer"),
        (dict(distill_lambda=1.5), "expected 0 to 1"),
        (dict(k1=0.01, k2=0.0), "none of . frames of 2 streams is kept"),
        (AGAIN | dict(k1=0.01, k2=0.0), "none of . frames of 2 streams is kept"),
    ],
)
def test_readings_that_contradict_themselves(fields, message):
    with pytest.raises(ValueError, match=message):
        small(**fields).build()


def test_a_teacher_that_never_learns_may_not_answer():
    config = small(answer="both", teacher_weight=0.0)
    with pytest.raises(UserError, match="half of every answer would be noise"):
        config.check_training(TrainConfig())
    config.check_training(TrainConfig(init_from="runs/x", init_part="teacher"))
    small(answer="both").check_training(TrainConfig())
