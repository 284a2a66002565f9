"""Weights of other runs: which array goes where, and what is said of it."""

import numpy as np
import pytest
from flax import traverse_util

from jaxact import errors
from jaxact.run import transfer
from jaxact.weights.keymap import WeightsError


def numbers(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def run(**shapes) -> dict[str, np.ndarray]:
    """Arrays by path; ``a__b=(2, 3)`` is a/b, of different numbers."""
    return {
        name.replace("__", "/"): numbers(*shape) + 100 * i
        for i, (name, shape) in enumerate(shapes.items())
    }


def model(**shapes) -> dict[str, np.ndarray]:
    return {name: array * 0 - 1 for name, array in run(**shapes).items()}


DAM = {"backbone__conv1__kernel": (3, 3, 3, 4), "block1__key__kernel": (4, 2)}
CLASSES = {"head__fc__kernel": (4, 5), "head__fc__bias": (5,)}


def test_the_whole_of_a_run():
    stored = run(**DAM, **CLASSES)
    filled, report = transfer.convert(stored, model(**DAM, **CLASSES), "all", "RUN")
    assert filled.keys() == stored.keys() == report.loaded.keys()
    for name, array in stored.items():
        np.testing.assert_array_equal(filled[name], array)
    assert not report.fresh and not report.unused


def test_everything_but_the_heads():
    """A DAM's blocks are kept where classes are others: its paper's Table 7."""
    others = {"head__fc__kernel": (4, 7), "head__fc__bias": (7,)}
    stored, target = run(**DAM, **CLASSES), model(**DAM, **others)
    filled, report = transfer.convert(stored, target, "all_but_heads", "RUN")
    assert set(filled) == {"backbone/conv1/kernel", "block1/key/kernel"}
    np.testing.assert_array_equal(
        filled["block1/key/kernel"], stored["block1/key/kernel"]
    )
    assert report.fresh == {"head/fc/kernel": (4, 7), "head/fc/bias": (7,)}
    assert report.unused == {"head/fc/bias": (5,), "head/fc/kernel": (4, 5)}
    filled, report = transfer.convert(stored, target, "backbone", "RUN")
    assert set(filled) == {"backbone/conv1/kernel"}
    assert set(report.unused) == {"block1/key/kernel", *report.unused}
    assert "block1/key/kernel" in report.fresh
    with pytest.raises(errors.UserError) as caught:
        transfer.convert(stored, target, "all", "RUN")
    text = str(caught.value)
    assert "head/fc/kernel: checkpoint (4, 5), model (4, 7)" in text
    assert "--config.train.init_part=all_but_heads" in text
    assert "--config.train.init_part=backbone" in text
    # Who asks for the backbone alone, and has another, is not sent there again.
    wider = model(**DAM | {"backbone__conv1__kernel": (3, 3, 3, 8)})
    with pytest.raises(errors.UserError, match="Its backbone is another") as caught:
        transfer.convert(stored, wider, "backbone", "RUN")
    assert "init_part" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "is_head"),
    [
        ("head/fc/kernel", True),
        ("teacher_head/fc/bias", True),
        ("head_rgb/fc/kernel", True),
        ("branches/rgb_head/kernel", True),
        ("frame_heads/ir/bias", True),
        ("stream_heads/fc/kernel", True),
        ("fusion/blocks_0/attention/kernel", False),
        ("pool_rgb/centres", False),
        ("backbone/blocks_0/heads/kernel", False),
        ("overhead/kernel", False),
        ("head_scale", False),
    ],
)
def test_what_is_a_head(path, is_head):
    assert transfer.in_part(path, "all_but_heads", False) == (not is_head)
    assert transfer.in_part(path, "all", False)


def test_other_models_are_refused_both_ways():
    target = model(**DAM, **CLASSES)
    trunk = {
        name: array
        for name, array in run(**DAM, **CLASSES).items()
        if "block" not in name
    }
    with pytest.raises(errors.UserError, match="block1/key/kernel: checkpoint missing"):
        transfer.convert(trunk, target, "all_but_heads", "RUN")
    more = run(**DAM, **CLASSES, block9__key__kernel=(2, 2))
    with pytest.raises(
        errors.UserError, match="block9/key/kernel.*model missing.*\n.*ini"
    ):
        transfer.convert(more, target, "all", "RUN")
    wide = run(**(DAM | {"backbone__conv1__kernel": (3, 3, 3, 8)}), **CLASSES)
    with pytest.raises(errors.UserError, match=r"\(3, 3, 3, 8\), model \(3, 3, 3, 4\)"):
        transfer.convert(wide, target, "backbone", "RUN")
    more = run(**DAM, backbone__extra__kernel=(2, 2))
    with pytest.raises(errors.UserError, match="backbone/extra/kernel.*model missing"):
        transfer.convert(more, target, "backbone", "RUN")


def test_one_streams_backbone_starts_from_a_model_of_two():
    two = run(backbone_rgb__kernel=(2, 2), backbone_skeleton__kernel=(3, 3))
    target = model(backbone_skeleton__kernel=(3, 3), head__kernel=(3, 2))
    filled, report = transfer.convert(two, target, "backbone", "RUN")
    assert set(filled) == {"backbone_skeleton/kernel"}
    assert report.unused == {"backbone_rgb/kernel": (2, 2)}
    with pytest.raises(
        errors.UserError, match="backbone_pose/kernel: checkpoint missing"
    ):
        transfer.convert(two, model(backbone_pose__kernel=(2, 2)), "backbone", "RUN")


def test_an_rgb_run_starts_a_difference_stream():
    """The first convolution is the mean over RGB for each of the 15 channels."""
    stored = run(
        backbone_rgb__conv1__kernel=(2, 2, 3, 4),
        backbone_rgb__conv2__kernel=(4, 4),
        pool_rgb__centres=(8, 4),
        head_rgb__fc__kernel=(4, 5),
    )
    target = model(
        backbone_rgb_diff__conv1__kernel=(2, 2, 15, 4),
        backbone_rgb_diff__conv2__kernel=(4, 4),
        pool_rgb_diff__centres=(8, 4),
        head_rgb_diff__fc__kernel=(4, 5),
    )
    filled, report = transfer.convert(stored, target, "all", "RUN")
    assert filled.keys() == target.keys()
    first = filled["backbone_rgb_diff/conv1/kernel"]
    # Along channels the stored numbers go up by 4: their mean is the middle one.
    for channel in range(15):
        np.testing.assert_array_equal(
            first[:, :, channel], stored["backbone_rgb/conv1/kernel"][:, :, 1]
        )
    assert list(report.resized) == ["backbone_rgb_diff/conv1/kernel"]
    both = model(
        backbone_rgb__conv2__kernel=(4, 4), backbone_rgb_diff__conv2__kernel=(4, 4)
    )
    stored = run(backbone_rgb__conv2__kernel=(4, 4))
    filled, _ = transfer.convert(stored, both, "backbone", "RUN")
    np.testing.assert_array_equal(*filled.values())


@pytest.mark.parametrize(
    ("old", "new"),
    [((3, 3, 3, 2), (3, 3, 1, 2)), ((2, 3, 3, 3, 2), (2, 3, 3, 15, 2))],
)
def test_first_convolutions_of_other_channels(old, new):
    array = numbers(*old)
    fitted = transfer.fit_channels("backbone/conv1/kernel", array, new)
    assert fitted.shape == new
    np.testing.assert_allclose(
        fitted, np.broadcast_to(array.mean(-2, keepdims=True), new)
    )


def test_patch_embeddings_of_other_channels():
    array = numbers(4 * 3, 2)  # patches of 2 x 2, of which channels run fastest
    path = "backbone/patch_embed/proj/kernel"
    fitted = transfer.fit_channels(path, array, (4 * 1, 2))
    assert fitted[:, 0].tolist() == [2, 8, 14, 20]  # 0 2 4, 6 8 10, ...
    fitted = transfer.fit_channels(path, array, (4 * 2, 2))
    assert fitted[:, 0].tolist() == [2, 2, 8, 8, 14, 14, 20, 20]
    stored = {"backbone/patch_embed/proj/kernel": array}
    target = model(backbone__patch_embed_1__proj__kernel=(4, 2))
    filled, _ = transfer.convert(stored, target, "backbone", "RUN")
    assert filled["backbone/patch_embed_1/proj/kernel"][:, 0].tolist() == [2, 8, 14, 20]


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("backbone/conv1/kernel", (3, 3, 3, 2), (3, 3, 15, 4)),
        ("backbone/conv1/kernel", (3, 3, 4, 2), (3, 3, 15, 2)),
        ("backbone/conv1/kernel", (3, 3, 3, 2), (5, 5, 15, 2)),
        ("backbone/conv1/kernel", (3, 2), (15, 2)),
        ("backbone/conv1/scale", (3, 3, 3, 2), (3, 3, 15, 2)),
        ("backbone/patch_embed/proj/kernel", (12, 2), (4, 3)),
        ("backbone/patch_embed/proj/kernel", (13, 2), (4, 2)),
    ],
)
def test_other_shapes_are_not_made_to_fit(path, old, new):
    assert transfer.fit_channels(path, numbers(*old), new) is None


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_run_that_failed_is_no_start(wrong):
    stored = run(**DAM, **CLASSES)
    stored["block1/key/kernel"][1, 1] = wrong
    with pytest.raises(
        WeightsError, match=r"RUN: block1/key/kernel \[4, 2\] has 1 of 8"
    ):
        transfer.convert(stored, model(**DAM, **CLASSES), "all", "RUN")
    filled, _ = transfer.convert(stored, model(**DAM, **CLASSES), "backbone", "RUN")
    assert np.isfinite(filled["backbone/conv1/kernel"]).all()


@pytest.fixture
def runs(monkeypatch, tmp_path):
    """Two runs of one stream each, of which only the reading is left out."""
    stored = {
        "rgb": run(backbone_rgb__kernel=(2, 2), head__kernel=(2, 3)),
        "skeleton": run(backbone_skeleton__kernel=(3, 3), head__kernel=(3, 3)),
        "rgb2": run(backbone_rgb__kernel=(2, 2), head__kernel=(2, 3)),
        "half": run(backbone_skeleton__bias=(3,), head__kernel=(3, 3)),
    }
    for name in stored:
        (tmp_path / name).mkdir()
    monkeypatch.setattr(
        transfer, "_stored", lambda path: (stored[path.rpartition("/")[2]], path)
    )

    def start(*names: str, part: str = "all"):
        target = model(
            backbone_rgb__kernel=(2, 2),
            backbone_skeleton__kernel=(3, 3),
            backbone_skeleton__bias=(3,),
            fusion__kernel=(5, 2),
            head__kernel=(5, 3),
        )
        del target["backbone_skeleton/bias"]
        if "half" in names:
            target["backbone_skeleton/bias"] = numbers(3)
        params = traverse_util.unflatten_dict(target, sep="/")
        text = ",".join(str(tmp_path / name) for name in names)
        return transfer.start_from(text, part, params, {})

    return start, stored


@pytest.mark.parametrize("part", ["all", "all_but_heads", "backbone"])
def test_two_streams_start_from_two_runs(runs, part):
    start, stored = runs
    found = start("rgb", "skeleton", part=part)
    flat = traverse_util.flatten_dict(found.params, sep="/")
    for name in ("rgb", "skeleton"):
        path = f"backbone_{name}/kernel"
        np.testing.assert_array_equal(flat[path], stored[name][path])
    assert (flat["fusion/kernel"] == -1).all() and (flat["head/kernel"] == -1).all()
    assert [set(r.loaded) for r in found.reports] == [
        {"backbone_rgb/kernel"},
        {"backbone_skeleton/kernel"},
    ]
    for report in found.reports:
        assert set(report.fresh) == {"fusion/kernel", "head/kernel"}
        assert set(report.unused) == {"head/kernel"}
    assert not found.whole


def test_nothing_is_prepared_anew_where_all_but_heads_was_loaded(runs):
    """`Start.whole`: k-means would overwrite the centres that were loaded."""
    start, stored = runs
    stored["rgb"] |= run(backbone_skeleton__kernel=(3, 3), fusion__kernel=(5, 2))
    found = start("rgb", part="all_but_heads")
    assert found.whole and set(found.reports[0].fresh) == {"head/kernel"}
    assert not start("rgb", part="backbone").whole


def test_several_runs_that_do_not_fit_together(runs):
    start, _ = runs
    with pytest.raises(
        errors.UserError, match="backbone_rgb/kernel: several of .*rgb2"
    ):
        start("rgb", "rgb2")
    with pytest.raises(
        errors.UserError, match="backbone_skeleton/kernel: no run of .* h"
    ):
        start("rgb", "half")
    with pytest.raises(errors.UserError, match="backbone_skeleton/kernel: .*missing"):
        start("rgb", part="backbone")
    with pytest.raises(
        errors.UserError, match="none of .*rgb2 has this backbone|several"
    ):
        start("rgb", "rgb2", part="backbone")


def test_paths_with_commas(tmp_path):
    (tmp_path / "a,b").mkdir()
    assert transfer.sources(str(tmp_path / "a,b")) == [str(tmp_path / "a,b")]
    assert transfer.sources("runs/a, runs/b,") == ["runs/a", "runs/b"]
    assert transfer.sources("file.pth#ema") == ["file.pth#ema"]


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(errors.UserError, match="There is no checkpoint in"):
        transfer.start_from(str(tmp_path), "all", {"a": numbers(1)}, {})
