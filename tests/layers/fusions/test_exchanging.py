"""Units between networks, by hand, and the losses behind them."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxact.layers.fusions.exchanging import DSFM, MMTM

LOGITS = jnp.array([[[2.0, 0.0], [0.0, 4.0]], [[1.0, 1.0], [9.0, 9.0]]])


def test_the_scores_are_averaged_over_the_streams_that_are_there():
    present = jnp.array([[True, True], [True, False]])
    out = MMTM().apply({}, {"logits": LOGITS}, present)
    np.testing.assert_allclose(out["logits"], [[1, 2], [1, 1]])


def test_a_unit_opens_and_closes_channels():
    """Of one channel a stream: z = S_A + S_B = 3, 2 sigmoid(ln 3 / 3 * 3) = 1.5."""
    maps = jnp.ones((1, 2, 2, 1)), jnp.full((1, 5, 1), 2.0)
    module = MMTM(stages=(2,), ratio=4)

    def between(*maps):
        return module.init_with_output(
            jax.random.key(0), 2, maps, train=False, method="between"
        )

    start, variables = between(*maps)
    for got, given in zip(start, maps, strict=True):
        np.testing.assert_array_equal(got, given)
    params = variables["params"]["unit_2"]
    assert params["squeeze"]["kernel"].shape == (2, 1)
    params["squeeze"]["kernel"] = jnp.ones((2, 1))
    params["excite_0"]["kernel"] = jnp.full((1, 1), np.log(3.0) / 3.0)
    params["excite_1"]["kernel"] = jnp.full((1, 1), -np.log(3.0) / 3.0)
    first, second = module.apply(variables, 2, maps, train=False, method="between")
    np.testing.assert_allclose(first, np.full((1, 2, 2, 1), 1.5), rtol=1e-6)
    np.testing.assert_allclose(second, np.full((1, 5, 1), 1.0), rtol=1e-6)


def test_split_attention_starts_by_treating_all_blocks_alike():
    """Blocks of 4 of 8 and 4 channels are three: 0.5 + 0.5 / 3 of each."""
    maps = jnp.ones((2, 3, 8)), jnp.ones((2, 4))
    module = DSFM(stages=(1,), block=4)
    got, _ = module.init_with_output(
        jax.random.key(0), 1, maps, train=False, method="between"
    )
    for x, given in zip(got, maps, strict=True):
        np.testing.assert_allclose(x, np.full(given.shape, 2 / 3), rtol=1e-6)


def test_the_streams_own_scores_are_trained_too_if_asked():
    assert [term.name for term in MMTM(branch_weight=0.0).losses()] == ["cross_entropy"]
    own = DSFM(branch_weight=0.25).losses()[1]
    batch = {"label": jnp.array([0, 1])}
    # ln(1 + e^-2) + ln(1 + e^4); 2 ln 2.
    got = own.weight * own({"stream_logits": LOGITS}, batch)
    expected = [np.log1p(np.exp(-2)) + np.log1p(np.exp(4)), 2 * np.log(2)]
    np.testing.assert_allclose(got, 0.25 * np.array(expected), rtol=1e-6)
