"""Readings of STAFusion that contradict themselves are refused."""

import pytest

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
    ],
)
def test_readings_that_contradict_themselves(fields, message):
    with pytest.raises(ValueError, match=message):
        small(**fields).build()
