"""Dynamic fusion by hand."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxact.layers.fusions.dynamic import DynMM, ExpectedCost, JointCrossEntropy
from tests.layers.fusions.test_confident import ALL, FIRST

STREAMS = {
    "tokens": jnp.ones((1, 2, 3)),
    "logits": jnp.array([[[1.0, 0.0], [0.0, 2.0]]]),
}
# Of a gate that says the same of every clip: softmax(ln 2, ln 1, ln 5) = .25 .125 .625.
PARAMS = jax.tree.map(
    jnp.zeros_like, DynMM().init(jax.random.key(0), STREAMS)["params"]
)
PARAMS["gate"]["bias"] = jnp.log(jnp.array([2.0, 1.0, 5.0]))
PARAMS["joint"]["bias"] = jnp.array([4.0, 8.0])


def fuse(present=None, **fields):
    return DynMM(**fields).apply({"params": PARAMS}, STREAMS, present)


def test_a_soft_gate_by_hand():
    for present in (None, ALL):
        out = fuse(present, hard=False)
        np.testing.assert_allclose(out["weights"], [[0.25, 0.125, 0.625]], atol=1e-6)
        np.testing.assert_allclose(out["logits"], [[2.75, 5.25]], atol=1e-5)
        # .25 / 2 + .125 / 2 + .625
        np.testing.assert_allclose(out["expected_cost"], [0.8125], atol=1e-6)
    # At temperature 1/2 the weights are as 4, 1 and 25.
    sharp = fuse(hard=False, temperature=0.5)["weights"]
    np.testing.assert_allclose(sharp, [[4 / 30, 1 / 30, 25 / 30]], rtol=1e-5)


def test_a_hard_gate_takes_one_expert():
    out = fuse()
    np.testing.assert_allclose(out["logits"], [[4, 8]], atol=1e-5)
    np.testing.assert_allclose(out["expected_cost"], [1.0], atol=1e-6)


def test_its_gradient_is_the_soft_gate_s():
    def cost(bias, hard):
        params = PARAMS | {"gate": PARAMS["gate"] | {"bias": bias}}
        out = DynMM(hard=hard).apply({"params": params}, STREAMS)
        return out["expected_cost"][0]

    soft, hard = (jax.grad(cost)(PARAMS["gate"]["bias"], x) for x in (False, True))
    np.testing.assert_allclose(soft, hard, atol=1e-6)
    # w (C - sum w C), by hand
    expected = np.array([0.25, 0.125, 0.625]) * (np.array([0.5, 0.5, 1]) - 0.8125)
    np.testing.assert_allclose(soft, expected, atol=1e-6)


def test_what_needs_a_missing_stream_is_no_choice():
    for hard in (False, True):
        out = fuse(FIRST, hard=hard)
        np.testing.assert_allclose(out["logits"], [[1, 0]], atol=1e-6)
        np.testing.assert_allclose(out["expected_cost"], [0.5], atol=1e-6)
    assert np.isfinite(fuse(jnp.zeros((1, 2), bool))["logits"]).all()


def test_its_losses_by_hand():
    out = fuse(hard=False)
    batch = {"label": jnp.array([1])}
    joint = JointCrossEntropy()
    np.testing.assert_allclose(joint(out, batch), [np.log1p(np.exp(-4))], rtol=1e-4)
    np.testing.assert_array_equal(joint(out, batch | {"present": FIRST}), [0])
    np.testing.assert_allclose(ExpectedCost()(out, batch), [0.8125], atol=1e-6)
    assert [term.weight for term in DynMM(cost_weight=0.3).losses()] == [1, 1, 1, 0.3]
