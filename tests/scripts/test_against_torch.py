"""Both sides of the comparison with torch have one list of nets."""

import ast
import pathlib

import jax.numpy as jnp

from benchmarks import nets

TORCH_SIDE = pathlib.Path(nets.__file__).parent / "torch" / "nets.py"


def test_the_torch_side_has_the_same_nets():
    """It is read, not imported: the tests have no torch."""
    (table,) = (
        node.value
        for node in ast.parse(TORCH_SIDE.read_text()).body
        if isinstance(node, ast.AnnAssign) and node.target.id == "NETS"
    )
    assert [key.value for key in table.keys] == list(nets.NETS)


def test_the_form_of_3d_convolutions_reaches_the_nets_that_have_them():
    forms = {
        name: getattr(net.of_form("native").build(jnp.float32), "form", None)
        for name, net in nets.NETS.items()
    }
    assert {name for name, form in forms.items() if form == "native"} == {
        "i3d",
        "slowfast",
        "ir_csn",
        "ip_csn",
        "mvit",
    }
