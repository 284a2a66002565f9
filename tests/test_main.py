"""``python -m jaxact``: odd values end in a paragraph and exit code 2."""

import json
import shutil
import sys
import types

import jax.numpy as jnp
import pytest

from jaxact import __main__ as command
from jaxact import errors
from jaxact.checkpoints import manager
from jaxact.state import State
from tests import tiny
from tests.paths import ROOT
from tests.run.test_robustness import TwoConfig, TwoData

DAM, STAFUSION = (
    str(ROOT / "configs" / f"demo_{name}.py") for name in ("dam", "stafusion")
)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([DAM, "model.frames"], "Got the override 'model.frames'; expected KEY=VALUE"),
        ([DAM, "=3"], "Got the override '=3'; expected KEY=VALUE"),
        ([DAM, "frames=3"], "Experiment has no field 'frames'"),
        ([DAM, "model.frames=0"], "model.frames is 0; expected 1 or more"),
        ([DAM, "model.image_size=-8"], "model.image_size is -8; expected 1 or more"),
        ([DAM, "model.num_classes=0"], "model.num_classes is 0; expected 1 or more"),
        ([DAM, "model.frames=nan"], "got 'nan' of type str, expected int"),
        ([DAM, "--depth", "0"], "--depth is 0; expected 1 or more"),
        ([DAM, "--depth=-1"], "--depth is -1; expected 1 or more"),
        ([STAFUSION, "model.heads=3"], "width must be a multiple of the number of hea"),
        ([STAFUSION, "model.depth=-1"], "model.depth is -1; expected 1 or more"),
        ([str(ROOT / "README.md")], "is no Python file"),
        (["nowhere.py"], "No config file at 'nowhere.py'"),
    ],
)
def test_ledger_with_odd_values(capsys, arguments, message):
    with pytest.raises(SystemExit) as caught:
        errors.friendly(command.main)(["ledger", *arguments])
    said = capsys.readouterr()
    assert caught.value.code == errors.EXIT_USER_ERROR and not said.out
    assert message in said.err and said.err.strip().count("\n") == 0


def test_sizes_that_may_be_none_may(capsys):
    overrides = ["model.key_width=0", "model.value_width=0"]
    command.main(["ledger", DAM, *overrides, "--depth", "1"])
    assert capsys.readouterr().out.splitlines()[-1].startswith("total")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config", DAM], "The model reads rgb alone; what a failing stream does"),
        (["--config", STAFUSION, "--failures", "flood"], "There is no failure flood"),
        (["--config", STAFUSION, "--checkpoint", "nowhere"], "nowhere"),
    ],
)
def test_robustness_of_what_cannot_be_had(tmp_path, capsys, arguments, message):
    with pytest.raises(SystemExit) as caught:
        out = ["--out", str(tmp_path)]
        errors.friendly(command.main)(["robustness", *arguments, *out])
    said = capsys.readouterr()
    assert caught.value.code == errors.EXIT_USER_ERROR and message in said.err


class PipelineError(Exception):
    """Of the package that the pipeline is of."""


class Pipeline(TwoData):
    """Stands for the pipeline; its package is that of this file."""

    __package__ = __name__


@pytest.fixture
def two(monkeypatch, tmp_path):
    """A run of the tiny model of two streams; how to ask about it."""
    experiment = tiny.experiment()
    experiment.model = TwoConfig()
    monkeypatch.setattr(command, "load_experiment", lambda *_: experiment)
    zero = jnp.zeros((), jnp.int32)
    stored = manager.Checkpoints(tmp_path / "checkpoints")
    stored.save(State(zero, {"scale": jnp.ones(())}, {}, ()), {"step": 1})
    stored.close()
    out = str(tmp_path / "report")
    return [
        "robustness",
        "--config",
        "two",
        "--checkpoint",
        str(tmp_path),
        "--out",
        out,
    ]


def test_robustness_of_a_run(two, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(command, "pipeline_of", lambda data: Pipeline())
    command.main([*two, "--failures", "black,missing"])
    said = capsys.readouterr().out
    assert "rgb missing" in said and "ir black 1" in said and "Report: " in said
    found = json.loads((tmp_path / "report" / "robustness.json").read_text())
    shares = [row["top1"] for row in found["rows"]]
    assert shares[0] == 1 and shares[1] < 0.8 and shares[3:] == [1, 1]
    assert found["checkpoint"] == str(tmp_path / "checkpoints" / "1")


def test_the_report_lies_in_the_run_that_is_asked(two, monkeypatch, tmp_path):
    monkeypatch.setattr(command, "pipeline_of", lambda data: Pipeline())
    monkeypatch.chdir(tmp_path)
    words = [*two[: two.index("--out")], "--failures", "missing"]
    shutil.copytree(tmp_path / "checkpoints", tmp_path / "moved")
    last = words.index("--checkpoint") + 1
    for checkpoint, more, where in (
        (str(tmp_path), [], "robustness"),
        ("last", ["--workdir", str(tmp_path)], "robustness"),
        (str(tmp_path), ["--workdir", "other"], "other/robustness"),
        (str(tmp_path / "moved"), [], "runs/tiny/robustness"),
    ):
        words[last] = checkpoint
        command.main([*words, *more])
        assert (tmp_path / where / "robustness.html").is_file()
        shutil.rmtree(tmp_path / where)


def test_values_of_the_config_are_set_as_in_the_scripts(two, monkeypatch, capsys):
    asked = {}

    def load(config, overrides):
        asked.update(overrides)
        raise errors.UserError("enough")

    monkeypatch.setattr(command, "load_experiment", load)
    words = ["--config.data.limit=10", "--config.data.allow_missing"]
    with pytest.raises(errors.UserError, match="enough"):
        command.main([*two, *words])
    assert asked == {"data.limit": "10", "data.allow_missing": "True"}
    with pytest.raises(SystemExit):
        command.main(["table1", *words])
    assert "--config.data.limit belongs to commands" in capsys.readouterr().err


def test_errors_of_the_pipeline_are_told_in_a_paragraph(two, monkeypatch):
    class Broken(Pipeline):
        def dataset_facts(self, data):
            raise PipelineError("There is no data set.")

    monkeypatch.setattr(command, "pipeline_of", lambda data: Broken())
    with pytest.raises(errors.UserError, match="There is no data set"):
        command.main(two)


def test_the_pipeline_stands_beside_the_config_of_its_data(monkeypatch):
    pipeline = types.ModuleType("pipeline")  # the real one takes long to import
    monkeypatch.setitem(sys.modules, "input_pipeline.pipeline", pipeline)
    assert command.pipeline_of(tiny.experiment().data) is pipeline
