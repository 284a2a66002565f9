"""The staged world as a data set."""

import json

import numpy as np
import pytest

from input_pipeline.builders.base import RawDataError
from input_pipeline.builders.synthetic import Synthetic
from input_pipeline.encode import ClipError, encode_clip
from input_pipeline.prepare import plan
from tests.input_pipeline.builders.test_base import ALL, staged


def test_synthetic_adds_difficulties_and_where_the_actor_is(tmp_path):
    staged(tmp_path, ["dark", "warm", "late"])
    builder = Synthetic(raw=tmp_path, options=ALL, data_dir=tmp_path)
    assert builder.classes == ["sit", "stand"]
    (clip,) = builder.clips()
    assert clip.splits == {"xview": "test", "xsub": "train", "xsub_dev": "train"}
    record = encode_clip(clip, builder.options)
    assert record.difficulty == 0b101
    np.testing.assert_array_equal(record.streams["ir"].actor_visible, [True, False] * 4)
    np.testing.assert_allclose(record.streams["rgb"].actor_box[0], [0.1, 0.2, 0.3, 0.4])
    assert not record.streams["rgb"].actor_box[1].any()  # not seen: no box


def test_a_world_staged_anew_is_another_source(tmp_path):
    staged(tmp_path, ["dark", "late"])
    sources = []
    for seed in (0, 0, 1):
        world = json.loads((tmp_path / "world.json").read_text()) | {"seed": seed}
        (tmp_path / "world.json").write_text(json.dumps(world))
        builder = Synthetic(raw=tmp_path, options=ALL, data_dir=tmp_path)
        jobs = plan.shard_jobs(builder, builder.clips(), tmp_path)
        sources.append(plan.plan(builder, jobs))
    assert sources[0] == sources[1] != sources[2]
    (tmp_path / "out" / ".work").mkdir(parents=True)
    plan.check_plan(tmp_path / "out", sources[0])
    plan.check_plan(tmp_path / "out", sources[1])
    with pytest.raises(plan.PrepareError, match="world: not the same"):
        plan.check_plan(tmp_path / "out", sources[2])


def test_truth_that_does_not_fit_its_video_is_a_failure(tmp_path):
    name = staged(tmp_path, ["dark", "late"])
    path = tmp_path / "truth" / f"{name}.json"
    truth = json.loads(path.read_text())
    truth["ir"]["visible"].pop()
    path.write_text(json.dumps(truth))
    builder = Synthetic(raw=tmp_path, options=ALL, data_dir=tmp_path)
    with pytest.raises(ClipError, match=r"truth file .*visible \[7\].*expected \[8\]"):
        encode_clip(builder.clips()[0], builder.options)


def test_unfinished_worlds_say_how_to_stage_them(tmp_path):
    with pytest.raises(RawDataError, match="input_pipeline.synthetic --out"):
        Synthetic(raw=tmp_path, options=ALL, data_dir=tmp_path)
    (tmp_path / "world.json").write_text('{"complete": false, "classes": [], ')
    with pytest.raises(RawDataError, match="damaged"):
        Synthetic(raw=tmp_path, options=ALL, data_dir=tmp_path)
