"""Evaluation of a run: every clip once, and on which clips its best was chosen."""

import numpy as np
import pytest

import evaluate
from jaxact import errors
from jaxact.checkpoints import files
from jaxact.report import write_report
from tests import tiny
from tests.scripts.test_train import finished, quick, run

__all__ = ["finished", "quick"]  # fixtures


def test_validation_clips_choose_where_there_are_some(
    finished,  # noqa: F811
    tmp_path,
    capsys,
):
    data = tiny.TinyData()
    data.sizes = {"train": 20, "val": 6, "test": 10}
    run(tmp_path, data)
    assert "val after step 6" in capsys.readouterr().out
    spec = tiny.experiment().eval
    folder, step = files.find(tmp_path, "best")
    assert evaluate.chosen(spec, folder, step) == "best top1 on val"
    result = evaluate.evaluate(tiny.experiment(), folder, step, data)
    assert result.split == "test" and len(result.ids) == 10
    # Another word decides; and without such clips the report says what that means.
    with pytest.raises(errors.UserError, match="no clips in the split 'val'"):
        run(tmp_path / "none", **{"eval.choose_on": "val"})
    run(tmp_path / "test", data, **{"eval.choose_on": "test"})
    assert "val after" not in capsys.readouterr().out.split("test after step 2")[1]
    text = evaluate.chosen(spec, *files.find(finished, "best"))
    assert text.startswith("best top1 on test, the very clips reported here")


def test_every_clip_must_be_evaluated_once(finished):  # noqa: F811
    class Twice(tiny.TinyData):
        def eval_batches(self, *args, **kwargs):
            batches = list(super().eval_batches(*args, **kwargs))
            return iter([*batches, batches[0]])

    folder, step = files.find(finished)
    with pytest.raises(ValueError, match="saw 13 examples, 10 of them distinct"):
        evaluate.evaluate(tiny.experiment(), folder, step, Twice())


def test_pictures_are_chosen_by_name_or_by_class(finished):  # noqa: F811
    folder, step = files.find(finished)
    data = tiny.TinyData()

    def shown(*names):
        spec = tiny.experiment(**{"eval.show": names, "eval.pictures": 20})
        return evaluate.evaluate(spec, folder, step, data).examples

    found = shown("clip 29", "clip 21")
    assert [example["name"] for example in found] == ["clip 21", "clip 29"]
    labels = tiny.batch(1000, 10)["label"]
    found = shown("class 1")
    assert [example["id"] - 20 for example in found] == np.flatnonzero(
        labels == 1
    ).tolist()
    with pytest.raises(errors.UserError, match="names clap, .* neither clips nor"):
        shown("clap")


def test_frames_kept_are_told_by_stream_and_difficulty(finished, tmp_path):  # noqa: F811
    result = evaluate.evaluate(
        tiny.experiment(), *files.find(finished), tiny.TinyData()
    )
    whole, *rest = result.frames["rows"]
    assert whole["precision"] == pytest.approx(result.selection["frame_precision"])
    chance = result.selection["frame_precision_chance"]
    assert whole["chance"] == pytest.approx(chance)
    assert whole["chance"] <= whole["blind"] <= whole["ceiling"] + 1e-9
    kinds = [row["kind"] for row in rest]
    assert "stream" in kinds and "difficulty" in kinds
    page = write_report(tmp_path, result).read_text()
    assert "Kept frames that show the actor" in page and ": kept in " in page
