"""Gates, evidence and confidence as modules: numbers by hand, and streams missing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact.layers.fusions.confident import PDF, QMF
from jaxact.layers.fusions.evidential import ETMC, TMC
from jaxact.layers.fusions.gated import Gated


def random_streams(rows=3, streams=2):
    random = np.random.default_rng(3)
    return {
        "tokens": jnp.asarray(random.normal(size=(rows, streams, 4)), jnp.float32),
        "logits": jnp.asarray(random.normal(size=(rows, streams, 5)), jnp.float32),
    }


@pytest.mark.parametrize("fusion", [TMC(), ETMC(), Gated(), QMF(), PDF()], ids=str)
def test_gradients_reach_what_they_should_and_nothing_missing(fusion):
    streams = random_streams()
    present = jnp.array([[True, True], [True, False], [False, False]])
    batch = {"label": jnp.array([1, 2, 0]), "present": present}
    params = fusion.init(jax.random.key(0), streams).get("params", {})
    name = "logits" if fusion.of_scores else "tokens"

    def total(params, x):
        given = streams | {name: x}
        out = fusion.apply({"params": params}, given, present, train=True)
        out["stream_logits"] = given["logits"]
        if "logits" not in out:
            out["logits"] = out["token"]
        return sum(
            (term.weight * term(out, batch))[:2].sum() for term in fusion.losses()
        )

    values, (of_params, of_x) = jax.value_and_grad(total, (0, 1))(params, streams[name])
    assert np.isfinite(values)
    assert all(bool(jnp.any(leaf != 0)) for leaf in jax.tree.leaves(of_params))
    assert np.any(of_x[0, 0] != 0) and np.any(of_x[0, 1] != 0)
    assert np.isfinite(of_x).all() and not np.any(np.where(present[..., None], 0, of_x))
    # Whatever stands where nothing is.
    spoilt = jnp.where(present[..., None], streams[name], 77.0)
    np.testing.assert_allclose(total(params, spoilt), values, rtol=1e-6)
