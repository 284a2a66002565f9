"""A model on devices, built with one trace."""

from jaxact.run import program
from tests import tiny
from tests.run.test_predictor import experiment


def test_the_model_is_traced_once_for_its_shapes_and_its_state(monkeypatch):
    calls = []
    plain = tiny.TinyModule.__call__

    def counted(self, batch, *, train):
        calls.append(train)
        return plain(self, batch, train=train)

    monkeypatch.setattr(tiny.TinyModule, "__call__", counted)
    config = experiment(**{"model.width": 11})
    plan = program.make_plan(config.train, 20)
    program.make_program(config, tiny.mesh_of(1), plan).create()
    assert len(calls) == 1
