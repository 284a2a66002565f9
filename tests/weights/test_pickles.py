"""Pickles: what is read, and what is refused and not run."""

import collections
import io
import os
import pickle
import subprocess

import numpy as np
import pytest

from jaxact.backbones.public_weights import WeightsError, read_weights
from jaxact.weights import pickles
from tests.weights.test_readers import one_paragraph, write_zip


class Attack:
    """Unpickles by calling a function, as pickles may."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("where", ["zip", "legacy", "nested"])
@pytest.mark.parametrize("protocol", [2, 4])
def test_code_in_a_pickle_is_refused_and_not_run(tmp_path, where, protocol):
    mark = tmp_path / "was_here"
    attack = Attack(os.system, f"touch {mark}")
    if where == "nested":
        attack = {"state_dict": {"a": attack}}
    data = pickle.dumps(attack, protocol)
    pickle.loads(pickle.dumps(attack))  # the attack works on the plain unpickler
    assert mark.exists()
    mark.unlink()

    path = tmp_path / "weights.pth"
    if where == "legacy":
        path.write_bytes(data)
    else:
        write_zip(path, data)
    with pytest.raises(WeightsError, match=r"(posix|nt)\.system") as error:
        read_weights(path)
    assert "executed" in one_paragraph(error)
    assert not mark.exists()


@pytest.mark.parametrize(
    "attack",
    [
        Attack(eval, "1"),
        Attack(getattr, [], "append"),
        Attack(subprocess.Popen, ["true"]),
        Attack(np.load, "x"),
        Attack(__import__, "os"),
        Attack(collections.Counter, "ab"),
    ],
    ids=["eval", "getattr", "Popen", "np.load", "import", "Counter"],
)
def test_every_name_outside_the_table_is_refused(attack):
    with pytest.raises(WeightsError, match="no part of an array"):
        pickles.load(io.BytesIO(pickle.dumps(attack)))


def test_a_name_with_dots_does_not_reach_through_an_admitted_one():
    stream = b"\x80\x04\x8c\x0bcollections\x8c\x16OrderedDict.__init__.x\x93."
    with pytest.raises(WeightsError, match=r"OrderedDict\.__init__"):
        pickles.load(io.BytesIO(stream))


@pytest.mark.parametrize("protocol", [2, 4])
def test_numpy_arrays_and_plain_values_are_read(protocol):
    value = {
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "big endian": np.arange(3, dtype=">i4"),
        "scalar": np.float32(2.5),
        "ordered": collections.OrderedDict(a=[1, "x", None, (2.0, True)]),
    }
    read = pickles.load(io.BytesIO(pickle.dumps(value, protocol)))
    np.testing.assert_array_equal(read["fortran"], value["fortran"])
    np.testing.assert_array_equal(read["big endian"], [0, 1, 2])
    assert read["scalar"] == 2.5
    assert read["ordered"] == {"a": [1, "x", None, [2.0, True]]}


def test_an_array_of_objects_is_refused():
    data = pickle.dumps(np.array([object], dtype=object))
    with pytest.raises(WeightsError, match="not of numbers"):
        pickles.load(io.BytesIO(data))


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [(0, (13,), (1,)), (10, (3,), (1,)), (0, (2, 7), (6, 1)), (-1, (2,), (1,))]
    + [(0, (3,), (-1,)), (0, (-3,), (1,)), (12, (1,), (1,))],
)
def test_a_tensor_cannot_reach_outside_its_storage(offset, size, stride):
    with pytest.raises(WeightsError, match="outside its storage"):
        pickles.strided(np.arange(12.0), offset, size, stride)


def test_a_tensor_within_its_storage_is_the_right_view():
    view = pickles.strided(np.arange(12), 1, (2, 3), (6, 2))
    np.testing.assert_array_equal(view, [[1, 3, 5], [7, 9, 11]])
