"""Arrays of another shape are named, with both shapes."""

import numpy as np
import pytest

from jaxact import errors
from jaxact.checkpoints.trees import check_same_shapes


def tree(**shapes):
    return {"params": {k: np.zeros(v) for k, v in shapes.items()}, "batch_stats": {}}


def test_equal_shapes_pass_whatever_their_values():
    check_same_shapes(tree(a=(2, 3)), tree(a=(2, 3)), "run")
    check_same_shapes(tree(a=2) | {"batch_stats": None}, tree(a=2), "run")


def test_differences_are_listed_and_counted():
    with pytest.raises(errors.UserError) as error:
        check_same_shapes(tree(a=(2, 3), b=1), tree(a=(3, 2), c=4), "runs/x")
    text = str(error.value)
    assert text.startswith("runs/x is a checkpoint of another model")
    assert "params/a: checkpoint (2, 3), model (3, 2)" in text
    assert "params/b: checkpoint (1,), model missing" in text
    assert "params/c: checkpoint missing, model (4,)" in text
    many = {f"w{i}": 1 for i in range(8)}
    with pytest.raises(errors.UserError, match="w4: .*\n  and 3 more\n"):
        check_same_shapes(tree(), tree(**many), "runs/x")
