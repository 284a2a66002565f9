"""A tiny model of two streams, one of which fails."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact.errors import UserError
from jaxact.run import robustness, session
from tests import tiny


class TwoModule(nn.Module):
    """Says which colour is the brightest; it has a second stream, and ignores it."""

    refuses: bool = False

    @nn.compact
    def __call__(self, batch, *, train):
        scale = self.param("scale", nn.initializers.ones_init(), ())
        rgb = batch["rgb"].astype(jnp.float32).mean(axis=(1, 2, 3)) / 40
        if "present" in batch:
            if self.refuses:
                raise UserError("It cannot do without.")
            rgb = jnp.where(batch["present"][:, :1], rgb, 0)
        return {"logits": scale * rgb}


@dataclasses.dataclass
class TwoConfig(tiny.TinyConfig):
    refuses: bool = False

    def build(self):
        return TwoModule(self.refuses)

    def inputs(self):
        rgb = super().inputs()["rgb"]
        ir = jax.ShapeDtypeStruct((*rgb.shape[:3], 1), np.uint8)
        return {"rgb": rgb, "ir": ir}


class TwoData(tiny.TinyData):
    def eval_batches(self, *args, **kwargs):
        for batch in super().eval_batches(*args, **kwargs):
            yield batch | {"ir": batch["rgb"][..., :1]}


MEASURED = ("top1", "confidence", "calibration_error", "sure_and_wrong")


def opened(model, data=None):
    experiment = tiny.experiment()
    experiment.model = model
    found = session.open_evaluation(experiment, data or TwoData())
    return found, found.network.init(jax.random.key(0))


def test_what_is_measured():
    rows = robustness.measure(*opened(TwoConfig()), ("missing", "black", "noisy"))
    by_case = {(r["stream"], r["failure"], r["strength"]): r for r in rows}
    assert len(by_case) == 1 + 2 * (1 + 1 + 2)
    whole = by_case["", "none", 0.0]
    # The class is the colour that is bright: right everywhere, and .86 sure of it.
    assert whole["top1"] == 1 and 0.8 < whole["confidence"] < 0.9
    assert whole["sure_and_wrong"] == 0
    assert whole["calibration_error"] == pytest.approx(1 - whole["confidence"], 1e-5)
    # The second stream is not looked at at all.
    for case, row in by_case.items():
        if case[0] == "ir":
            for key in MEASURED:
                assert row[key] == pytest.approx(whole[key], abs=1e-6), case
    # What is black is shown, and what is missing is not.
    assert not by_case["rgb", "black", 1.0]["example"].any()
    assert by_case["ir", "noisy", 0.3]["example"].shape == (2, 4, 4, 1)
    assert "example" not in whole | by_case["ir", "missing", 1.0]
    assert whole["examples"]["rgb"].any() and set(whole["examples"]) == {"rgb", "ir"}
    # Without colours all classes are alike: a third, of which the first is named.
    for name in ("missing", "black"):
        blind = by_case["rgb", name, 1.0]
        assert blind["confidence"] == pytest.approx(1 / 3)
        assert blind["top1"] < 0.8 and blind["sure_and_wrong"] == 0


class PartialData(TwoData):
    """Of every four clips one has no infrared, and one no colours."""

    def eval_batches(self, *args, **kwargs):
        for batch in super().eval_batches(*args, **kwargs):
            lacking = np.stack([batch["id"] % 4 == 1, batch["id"] % 4 == 0], axis=1)
            yield batch | {"present": ~lacking}


def test_clips_that_lack_the_stream_do_not_count():
    opened_, variables = opened(TwoConfig(), PartialData())
    whole, *rows = robustness.measure(opened_, variables, ("missing", "black"))
    # Of the first clip, which lacks colours, and of the second, which lacks infrared.
    assert whole["examples"]["rgb"].any() and whole["examples"]["ir"].any()
    by_case = {(row["stream"], row["failure"]): row for row in rows}
    count = whole["clips"]
    ids = np.arange(count)
    # Black where it is there; missing where there is another one, too.
    assert by_case["rgb", "black"]["clips"] == (ids % 4 != 1).sum()
    assert by_case["ir", "black"]["clips"] == (ids % 4 != 0).sum()
    for stream in ("rgb", "ir"):
        assert by_case[stream, "missing"]["clips"] == (ids % 4 > 1).sum()
    # The second stream says nothing, so nothing changes; right are those with colours.
    for failure in ("missing", "black"):
        row = by_case["ir", failure]
        assert row["change"] == 0 and tuple(row["interval"]) == (0, 0)
    assert by_case["ir", "missing"]["top1"] == 1 > whole["top1"]
    blind = by_case["rgb", "black"]  # all that count were right
    assert blind["change"] == pytest.approx(blind["top1"] - 1)
    low, high = blind["interval"]
    assert low < blind["change"] < high < 0


class ApartData(TwoData):
    def eval_batches(self, *args, **kwargs):
        for batch in super().eval_batches(*args, **kwargs):
            odd = batch["id"] % 2 == 1
            yield batch | {"present": np.stack([odd, ~odd], axis=1)}


def test_a_stream_that_is_never_beside_another_cannot_be_missing():
    rows = robustness.measure(*opened(TwoConfig(), ApartData()), ("missing",))[1:]
    assert [row["refused"] for row in rows] == 2 * [
        "No clip that has this stream has another one."
    ]


class ColourData(TwoData):
    def eval_batches(self, *args, **kwargs):
        for batch in super().eval_batches(*args, **kwargs):
            yield batch | {"present": np.array([[True, False]] * len(batch["id"]))}


def test_a_stream_that_no_clip_has_cannot_fail():
    rows = robustness.measure(*opened(TwoConfig(), ColourData()), ("black", "missing"))
    assert rows[0]["examples"].keys() == {"rgb"}
    assert rows[2]["top1"] < 1 and "example" in rows[2]
    why = {row["stream"]: row["refused"] for row in rows if "refused" in row}
    assert why == {
        "rgb": "No clip that has this stream has another one.",
        "ir": "No clip has this stream.",
    }


def test_half_of_the_clips_are_half_as_bad():
    given = opened(TwoConfig())
    (_, whole) = robustness.measure(*given, ("black",))[:2]
    (_, some) = robustness.measure(*given, ("black",), clips=0.5)[:2]
    assert whole["top1"] < some["top1"] < 1


def test_a_model_that_cannot_do_without_says_so():
    rows = robustness.measure(*opened(TwoConfig(refuses=True)), ("missing",))
    assert [row.get("refused") for row in rows] == [
        None,
        *2 * ["It cannot do without."],
    ]


@pytest.mark.parametrize(
    ("inputs", "names", "message"),
    [
        (("rgb",), (), "The model reads rgb alone"),
        (("rgb", "ir"), ("late", "gone"), "There is no failure gone; choose among"),
    ],
)
def test_what_cannot_be_asked(inputs, names, message):
    with pytest.raises(UserError, match=message):
        robustness.cases(dict.fromkeys(inputs), names)


def test_shares_that_are_none():
    for shares in ({"frames": 0.0}, {"clips": 1.5}):
        with pytest.raises(UserError, match="expected more than 0, at most 1"):
            robustness.measure(None, None, **shares)


def test_joints_are_neither_blurred_nor_covered():
    found = robustness.cases(dict.fromkeys(("rgb", "skeleton")))
    of = {s: {c.failure for c in found if c.stream == s} for s in ("rgb", "skeleton")}
    assert of["rgb"] - of["skeleton"] == {"blurred", "covered", "misaligned"}
