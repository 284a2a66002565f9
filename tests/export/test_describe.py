"""What a model takes, told to programs that know nothing of it."""

from jaxact import load_experiment
from jaxact.export import describe


def test_streams_are_described_by_kind():
    found = describe.inputs_of(load_experiment("configs/demo_ccdfarm.py"))
    assert list(found) == ["rgb", "skeleton"]
    assert found["rgb"]["axes"] == "t h w c" and found["rgb"]["dtype"] == "uint8"
    assert found["skeleton"]["axes"] == "m t v c"
    assert found["skeleton"]["shape"][-1] == 3
    assert found["skeleton"]["values"].startswith("metres")


def test_sampling_and_normalisation_are_told():
    changes = {"data.test_resize": 51, "data.window": 32, "model.mean": (0.25,)}
    changes["data.eval_flip"] = True
    experiment = load_experiment("configs/demo_stafusion.py", changes)
    found = describe.preprocessing_of(experiment)
    assert found["sampling"]["test_resize"] == 51
    assert found["sampling"]["window"] == 32
    views = {"eval_views_time": 1, "eval_views_space": 1, "eval_flip": True}
    assert views.items() <= found["sampling"].items()
    assert found["normalisation"] == {"mean": [0.25], "std": [0.225]}


def test_a_table_is_markdown():
    text = describe.table([[1, "a"]], ["n", "name"])
    assert text == "| n | name |\n| --- | --- |\n| 1 | a |"
    rows = describe.inputs_table(
        {"rgb": {"dtype": "uint8", "axes": "t c", "shape": [2, 3], "values": "v"}}
    )
    assert rows.splitlines()[-1] == "| `rgb` | uint8 | `[t c]` | 2 x 3 | v |"
