"""Every training option at once, on files, through a run's whole life."""

import numpy as np
import pytest
from jax import export

import evaluate
import train
from input_pipeline import pipeline
from input_pipeline.own_clip import ClipReader, Facts
from input_pipeline.prepare.__main__ import main as prepare
from jaxact import config
from jaxact.checkpoints import files
from jaxact.export import convert
from jaxact.export import folder as folder_writing
from jaxact.run.predictor import Predictor
from tests.input_pipeline import small_set
from tests.scripts.test_train import quick

__all__ = ["quick"]  # a fixture

# On the set of 86 pairs; the rows of a batch are four clips twice.
OPTIONS = {
    "model.backbone.patch": "4",
    "model.backbone.depth": "2",
    "model.backbone.width": "8",
    "model.backbone.heads": "1",
    "model.frames": "2",
    "train.batch_size": "8",
    "train.epochs": "1",
    "train.eval_every": "0.5",
    "train.checkpoint_every": "1",
    "train.ema_decay": "0.9",
    "train.label_smoothing": "0.1",
    "train.class_balance": "0.5",
    "train.patience": "9",
    "mix.mixup": "0.8",
    "mix.cutmix": "1.0",
    "optim.layer_decay": "0.75",
    "optim.freeze": "('backbone/blocks_0',)",
    "optim.part_lr": "(('head', 2.0),)",
    "data.val_share": "0.3",
    "data.balance": "0.5",
    "data.repeats": "2",
    "data.rand_ops": "2",
    "data.erase": "0.25",
    "data.eval_flip": "True",
    "eval.batch_size": "9",  # which two repeats do not divide
    "eval.pictures": "0",
}


class Killed(BaseException):
    """As by kill -9."""


class Stopping:
    """The pipeline, whose training ends before one of its batches."""

    dataset_facts = staticmethod(pipeline.dataset_facts)
    eval_batches = staticmethod(pipeline.eval_batches)

    def __init__(self, before):
        self.before = before

    def train_batches(self, *given, **more):
        for number, batch in enumerate(pipeline.train_batches(*given, **more)):
            if number == self.before:
                raise Killed
            yield batch


@pytest.mark.long
def test_a_run_with_all_of_them_is_one_model_to_all_commands(tmp_path, capsys):
    table = small_set.write(tmp_path / "raw")
    words = ["clips", "--manifest", str(table), "--name", "small", "--workers", "1"]
    prepare([*words, "--out", str(tmp_path / "data"), "--min_frames", "3"])
    where = f"dataset=small,dir={tmp_path / 'data'},image=16"
    made = config.load_experiment(f"configs/own_dual_stream.py:{where}", OPTIONS)

    def tested(folder):
        result = evaluate.evaluate(made, *files.find(folder))
        assert "averaged in training (train.ema_decay 0.9)" in capsys.readouterr().out
        return result

    train.train(made, tmp_path / "whole")
    with pytest.raises(Killed):
        train.train(made, tmp_path / "killed", Stopping(2))
    train.train(made, tmp_path / "killed")
    whole, killed = tested(tmp_path / "whole"), tested(tmp_path / "killed")
    np.testing.assert_array_equal(whole.scores, killed.scores)
    assert whole.views == 2 and len(whole.scores) == small_set.CLIPS // 2

    # A model folder, which knows nothing of the run.
    asked = Predictor(made, tmp_path / "whole")
    labels = list(whole.classes)
    folder_writing.write(tmp_path / "model", made, asked.variables, labels)
    np.testing.assert_array_equal(tested(tmp_path / "model").scores, whole.scores)

    # predict.py, from the files.
    read = ClipReader(made.data, asked.network.inputs, Facts.of(made.data, 9).video)
    for row in (0, 20, 42):
        name = whole.names[row].removeprefix("rgb/")
        paths = {s: tmp_path / "raw" / s / name for s in ("rgb", "ir")}
        scores = asked(read({s: str(path) for s, path in paths.items()}))["scores"]
        np.testing.assert_allclose(scores, whole.scores[row], atol=1e-3)

    # An export holds one view; their mean is what evaluation says.
    clips = pipeline.eval_batches(made.data, asked.network.inputs, "test", 43)
    batch = next(clips)
    views = [{s: batch[s][:, view] for s in ("rgb", "ir")} for view in (0, 1)]
    out = tmp_path / "exported"
    convert.export("stablehlo", out, made, asked.variables, labels, views[0], "clips")
    left = export.deserialize(bytearray((out / "model.stablehlo").read_bytes()))
    mean = sum(np.asarray(left.call(view)["scores"]) for view in views) / 2
    np.testing.assert_array_equal(batch["id"], whole.ids)
    np.testing.assert_allclose(mean, whole.scores, atol=1e-5)
