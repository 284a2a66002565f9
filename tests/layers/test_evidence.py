"""Evidence and opinions by hand: two classes, evidence of small whole numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact.layers.evidence import (
    EvidentialLoss,
    divergence_of_the_rest,
    evidence_of,
    expected_cross_entropy,
    join,
    opinion,
)


def dempster(first, second):
    """The reduced rule as TMC prints it, on beliefs and uncertainties (NumPy)."""
    (b1, u1), (b2, u2) = (
        (np.asarray(e) / (sum(e) + len(e)), len(e) / (sum(e) + len(e)))
        for e in (first, second)
    )
    conflict = np.outer(b1, b2).sum() - (b1 * b2).sum()
    belief = (b1 * b2 + b1 * u2 + b2 * u1) / (1 - conflict)
    uncertainty = u1 * u2 / (1 - conflict)
    return belief, uncertainty, conflict


@pytest.mark.parametrize(
    ("first", "second", "joined", "uncertainty"),
    [
        ((5, 1), (1, 5), (8.5, 8.5), 2 / 19),
        ((4, 0), (0, 4), (4, 4), 0.2),
        ((4, 0), (0, 0), (4, 0), 1 / 3),
        ((4, 0), (4, 0), (16, 0), 1 / 9),
    ],
)
def test_two_opinions_by_hand(first, second, joined, uncertainty):
    """e = e1 + e2 + e1 e2 / 2: of 5 and 1 it is 6 + 5 / 2, of 4 and 4 it is 16."""
    found = join(jnp.array([[first, second]], jnp.float32))
    np.testing.assert_allclose(found, [joined], rtol=1e-6)
    belief, left = opinion(found)
    np.testing.assert_allclose(left, [uncertainty], rtol=1e-6)
    theirs, unsure, _ = dempster(first, second)
    np.testing.assert_allclose(belief[0], theirs, rtol=1e-6)
    np.testing.assert_allclose(left[0], unsure, rtol=1e-6)


def test_the_conflict_of_two_sure_streams():
    """Dirichlet (5, 1) and (1, 5): evidence 4 and 0, beliefs 2/3, conflict 4/9."""
    assert dempster((4, 0), (0, 4))[2] == pytest.approx(4 / 9)


def test_three_streams_in_any_order_and_one_that_is_not_there():
    random = np.random.default_rng(0)
    evidence = random.gamma(1.0, 3.0, (5, 3, 7)).astype(np.float32)
    found = join(evidence)
    np.testing.assert_allclose(join(evidence[:, ::-1]), found, rtol=1e-5)
    pair = join(np.stack([np.asarray(join(evidence[:, :2])), evidence[:, 2]], axis=1))
    np.testing.assert_allclose(pair, found, rtol=1e-5)
    present = np.array([[True, False, False]] * 5)
    np.testing.assert_allclose(join(evidence, present), evidence[:, 0], rtol=1e-5)
    np.testing.assert_array_equal(join(evidence, ~present & present), 0.0)


def test_the_loss_by_hand():
    """alpha (5, 1): S 6; psi(6) - psi(5) = 1/5, psi(6) - psi(1) = 137/60.

    Where label 1 is right, 4 for class 0 is evidence for a wrong one: KL of Dir(5, 1)
    from the uniform is ln 5 - 4/5.
    """
    evidence = jnp.array([[4.0, 0.0], [4.0, 0.0]])
    target = jnp.eye(2)
    loss = expected_cross_entropy(evidence, target)
    np.testing.assert_allclose(loss, [0.2, 137 / 60], rtol=1e-5)
    rest = divergence_of_the_rest(evidence, target)
    np.testing.assert_allclose(rest, [0.0, np.log(5) - 0.8], atol=3e-6)


def test_the_loss_of_all_opinions_grows_with_the_training():
    out = {
        "evidence": jnp.array([[4.0, 0.0]]),
        "stream_evidence": jnp.array([[[4.0, 0.0], [4.0, 0.0]]]),
    }
    batch = {"label": jnp.array([1])}
    loss = EvidentialLoss(annealing=0.5)
    one, rest = 137 / 60, np.log(5) - 0.8
    for progress, share in ((0.0, 0.0), (0.25, 0.5), (0.5, 1.0), (1.0, 1.0)):
        found = loss(out, batch | {"progress": progress})
        np.testing.assert_allclose(found, [3 * (one + share * rest)], rtol=1e-5)
    at_once = EvidentialLoss(annealing=0.0)(out, batch | {"progress": 0.0})
    np.testing.assert_allclose(at_once, [3 * (one + rest)], rtol=1e-5)
    batch["present"] = jnp.array([[True, False]])
    np.testing.assert_allclose(loss(out, batch), [2 * (one + rest)], rtol=1e-5)


def test_evidence_without_bounds_stays_finite():
    evidence = evidence_of(jnp.full((1, 4, 3), 1e30))

    def total(x):
        joined = join(x)
        target = jax.nn.one_hot(jnp.array([1]), 3)
        parts = (expected_cross_entropy, divergence_of_the_rest)
        return sum(part(joined, target) for part in parts).sum()

    value, grad = jax.value_and_grad(total)(evidence)
    assert np.isfinite(value) and bool(jnp.isfinite(grad).all())
    np.testing.assert_allclose(evidence_of(jnp.zeros(2)), np.log(2), rtol=1e-6)
